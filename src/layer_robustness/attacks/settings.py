"""How strong the attacks of Table 2 are."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Settings:
    """The config's `adversarial`; config/README.md says what each key means."""

    test_examples: int
    repetitions: int
    batch_size: int
    choice: Literal["example", "batch"]
    attack_choice: Literal["fresh", "fixed"]
    eps: float
    step: float
    steps: int
    start: Literal["random", "image"]
    eot_draws: int

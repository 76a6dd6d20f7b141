"""How a network is trained, and the epochs that are kept."""

from dataclasses import dataclass
from typing import Literal

# Augmentations of images in memory, and of files in a folder.
IN_MEMORY = ("none", "pad_crop_flip")
FOLDER = ("resized_crop_flip", "scaled_crop_flip")

# The initial law of networks beyond the paper: what their own constructors draw.
CONSTRUCTOR = "constructor"


@dataclass(frozen=True)
class Recipe:
    """The paper's SGD recipe (Section 2), or another one for networks beyond the paper.

    optimizer
        `momentum` is that of SGD; AdamW has PyTorch's own averages.
    warmup
        Epochs in which the rate grows from step to step, from nearly 0 to its full value.
    model, options
        How a network beyond the paper is built: see `models.named` and `options`.

    Other fields are keys of the config's `training`.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    milestones: tuple[int, ...]
    factor: float
    momentum: float
    weight_decay: float
    checkpoints: tuple[int, ...]
    initial_law: str
    width: float
    augmentation: str
    precision: str
    optimizer: Literal["sgd", "adamw"] = "sgd"
    warmup: int = 0
    model: str = ""
    options: tuple[str, ...] = ()

    def rate(self, epoch: int, share: float = 1) -> float:
        """Learning rate of a step of `epoch`, counted from 1.

        A milestone of 30 means that 30 epochs are trained before the rate falls. Only warm-up
        depends on the `share` of the epoch's steps, this one among them.
        """
        passed = sum(milestone < epoch for milestone in self.milestones)
        rate = self.learning_rate * self.factor**passed
        return rate * min(1, (epoch - 1 + share) / self.warmup) if self.warmup else rate

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Read what `dataclasses.asdict` and JSON made of a recipe."""
        lists = {key: tuple(values[key]) for key in ("milestones", "checkpoints", "options")}
        return cls(**{**values, **lists})

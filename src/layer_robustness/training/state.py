"""All that training needs to continue: weights, optimizer, and the history so far."""

import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path

from torch import Tensor

from layer_robustness.storage import tensorfile


@dataclass
class PartOfEpoch:
    """What was done of an epoch: batches, sums over their images, and seconds."""

    batches: int = 0
    loss: float = 0.0
    wrong: int = 0
    seconds: float = 0.0


@dataclass
class TrainState:
    """State after `epoch` epochs and a `part` of the next, and the rows of `training.csv` so far.

    A row has epoch, rate, train_loss, train_error, test_error (fractions in [0, 1]) and seconds.
    Loss and error of training are means over the epoch's batches, each taken before its step. If
    the loss is not finite, the errors are NaN.

    optimizer
        What it remembers of each parameter, as in `layer1.weight.momentum_buffer`.
    machines
        Those that trained it, in their order.
    checkpoints
        SHA-256 of the weights that were kept, by name: `epoch0`, ...
    """

    weights: dict[str, Tensor]
    optimizer: dict[str, Tensor] = field(default_factory=dict)
    history: list[dict[str, float]] = field(default_factory=list)
    machines: list[dict[str, object]] = field(default_factory=list)
    checkpoints: dict[str, str] = field(default_factory=dict)
    part: PartOfEpoch = field(default_factory=PartOfEpoch)

    @property
    def epoch(self) -> int:
        """Number of epochs trained."""
        return len(self.history)

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's loss is not finite; such a network is trained no further."""
        return bool(self.history) and not math.isfinite(self.history[-1]["train_loss"])

    def record(self, **values: float) -> None:
        """Add the row of an epoch that is done."""
        self.history.append({"epoch": self.epoch + 1, **values})
        self.part = PartOfEpoch()

    def save(self, path: Path, fingerprint: str) -> None:
        """Write the state; `fingerprint` names the recipe, data and code that it belongs to."""
        tensors = {f"weights.{name}": tensor for name, tensor in self.weights.items()}
        tensors |= {f"optimizer.{name}": tensor for name, tensor in self.optimizer.items()}
        told = {name: getattr(self, name) for name in ("history", "machines", "checkpoints")}
        text = json.dumps({**told, "part": asdict(self.part)})
        tensorfile.save(path, tensors, {"fingerprint": fingerprint, "state": text})

    @classmethod
    def load(cls, path: Path, fingerprint: str) -> "TrainState | None":
        """Read a state of the same recipe, data and code; log why if training has to start over."""
        found = tensorfile.kept(path, fingerprint, "another recipe, data or code")
        if found is None:
            return None
        tensors, metadata = found
        parts = {"weights": {}, "optimizer": {}}
        for name, tensor in tensors.items():
            part, _, name = name.partition(".")
            parts[part][name] = tensor
        told = json.loads(metadata["state"])
        return cls(**parts, **{**told, "part": PartOfEpoch(**told["part"])})

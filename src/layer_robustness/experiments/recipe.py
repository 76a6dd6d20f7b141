"""How a network is trained, and the epochs that are kept."""

from dataclasses import dataclass

# Augmentations of images in memory, and of files in a folder.
IN_MEMORY = ("none", "pad_crop_flip")
FOLDER = ("resized_crop_flip", "scaled_crop_flip")


@dataclass(frozen=True)
class Recipe:
    """The paper's SGD recipe (Section 2); every field is a key of the config's `training`."""

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

    def rate(self, epoch: int) -> float:
        """Learning rate of the steps of `epoch`, counted from 1.

        A milestone of 30 means that 30 epochs are trained before the rate falls.
        """
        passed = sum(milestone < epoch for milestone in self.milestones)
        return self.learning_rate * self.factor**passed

    @classmethod
    def from_dict(cls, values: dict) -> "Recipe":
        """Read what `dataclasses.asdict` and JSON made of a recipe."""
        lists = {key: tuple(values[key]) for key in ("milestones", "checkpoints")}
        return cls(**{**values, **lists})

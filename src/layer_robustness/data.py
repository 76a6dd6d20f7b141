"""A data set in memory: uint8 pixels, labels, global mean and deviation of training pixels."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from layer_robustness import tensorfile
from layer_robustness.errors import InputError
from layer_robustness.files import replacing

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [N, C, H, W], labels int64 [N]; mean and std of training pixels in [0, 1]."""

    source: str
    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: float
    std: float
    sha256: str = ""

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width."""
        return tuple(self.train_images.shape[1:])

    def normalize(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Turn uint8 pixels [..., C, H, W] into inputs of zero mean and unit deviation."""
        return images.to(dtype).sub_(255 * self.mean).div_(255 * self.std)

    def to(self, device: torch.device) -> "Dataset":
        """Return the data set with its tensors on `device`."""
        return replace(self, **{name: getattr(self, name).to(device) for name in TENSORS})


def from_splits(source: str, train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor]) -> Dataset:
    """Make a data set of (images, labels) pairs and check that they fit together."""
    for images, labels in (train, test):
        if images.dtype != torch.uint8 or images.ndim != 4 or len(images) != len(labels):
            raise InputError(
                f"{source}: expected uint8 images [N, C, H, W] and as many labels, found "
                f"{images.dtype} {list(images.shape)} and {len(labels)} labels"
            )
    pixels = train[0].double().div_(255)
    std, mean = torch.std_mean(pixels, correction=0)
    return Dataset(source, *train, *test, mean=float(mean), std=float(std))


def save(dataset: Dataset, path: Path) -> None:
    """Write the data set, and beside it a small `.json` that tells whether the content changed."""
    summary = {
        "source": dataset.source,
        "mean": dataset.mean,
        "std": dataset.std,
        "train": list(dataset.train_images.shape),
        "test": list(dataset.test_images.shape),
        "classes": dataset.classes,
    }
    tensors = {name: getattr(dataset, name) for name in TENSORS}
    metadata = {"source": dataset.source, "mean": repr(dataset.mean), "std": repr(dataset.std)}
    summary["sha256"] = tensorfile.save(path, tensors, metadata)
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(summary, indent=1) + "\n")


def load(path: Path) -> Dataset:
    """Read what `save` wrote.

    Raises
    ------
    InputError
        If the file is missing, damaged, or not a data set.
    """
    tensors, metadata = tensorfile.load(path)
    if set(tensors) != set(TENSORS):
        raise InputError(f"{path} is not a prepared data set: delete it and run again")
    return Dataset(
        metadata["source"],
        *(tensors[name] for name in TENSORS),
        mean=float(metadata["mean"]),
        std=float(metadata["std"]),
        sha256=metadata["sha256"],
    )

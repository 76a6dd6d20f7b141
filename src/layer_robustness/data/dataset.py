"""A data set: uint8 pixels or image files, labels, mean and deviation of training pixels."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Tensor

from layer_robustness.data.image_listing import folder_digest
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import jsonfile, tensorfile
from layer_robustness.storage.files import remedy

TENSORS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class FolderImages:
    """Image files of any size, too many to hold in memory.

    root
        The folder that `files` are relative to; none where they are not going to be read.
    digest
        Digest of the whole folder's images, in train/ and val/ (see `folder_digest`).
    decoders
        Processes that decode them.
    """

    root: Path | None
    files: tuple[str, ...]
    digest: str
    decoders: int = 1

    def __len__(self) -> int:
        return len(self.files)


@dataclass(frozen=True)
class Dataset:
    """Images uint8 [N, C, H, W], labels int64 [N]; mean and std of training pixels in [0, 1].

    The training images may be files instead; the test images are then centre crops, and are read
    from the prepared file, which is mapped into memory, as they are used.
    """

    source: str
    train_images: Tensor | FolderImages
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: float
    std: float
    sha256: str = ""

    @property
    def device(self) -> torch.device:
        """Where to compute; test images that go with files may lie elsewhere."""
        return self.train_labels.device

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.train_labels.max()) + 1

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of what a network is given."""
        channels, height, width = self.test_images.shape[1:]
        return channels, height, width

    def normalize(self, images: Tensor, dtype: torch.dtype = torch.float32) -> Tensor:
        """Turn uint8 pixels [..., C, H, W] into inputs of zero mean and unit deviation."""
        return images.to(dtype).sub_(255 * self.mean).div_(255 * self.std)

    def to(self, device: torch.device) -> "Dataset":
        """Return the data set with its tensors on `device`.

        Test images that go with image files are too many to move at once: they stay where they are.
        """
        moved = TENSORS
        if isinstance(self.train_images, FolderImages):
            moved = ("train_labels", "test_labels")
        return replace(self, **{name: getattr(self, name).to(device) for name in moved})


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
    """Write the data set, and beside it a small `.json` that tells whether the content changed.

    Of image files the names and a digest of their sizes are written, and neither the content nor
    the folder: the same images in another place are the same data set.
    """
    summary = {
        "source": dataset.source,
        "mean": dataset.mean,
        "std": dataset.std,
        "train": [len(dataset.train_images), *dataset.image_shape],
        "test": list(dataset.test_images.shape),
        "classes": dataset.classes,
    }
    tensors = {name: getattr(dataset, name) for name in TENSORS}
    metadata = {"source": dataset.source, "mean": repr(dataset.mean), "std": repr(dataset.std)}
    if isinstance(dataset.train_images, FolderImages):
        names = os.fsencode("\n".join(tensors.pop("train_images").files))
        tensors["train_files"] = torch.frombuffer(bytearray(names), dtype=torch.uint8)
        summary["images"] = metadata["images"] = dataset.train_images.digest
    summary["sha256"] = tensorfile.save(path, tensors, metadata)
    jsonfile.save(path.with_suffix(".json"), summary)


def load(path: Path, images: Path | None = None, decoders: int = 1) -> Dataset:
    """Read what `save` wrote.

    Safetensors maps the file into memory, so that its checksum is verified and its test images are
    used without a copy: processes share them, and the system drops them when it needs the memory.

    Raises `InputError` if the file is missing, damaged, or not a data set, or the folder has other
    images.

    Parameters
    ----------
    images
        The folder that a data set of image files was prepared from, where it is to be trained on.
    decoders
        Processes that decode image files.
    """
    tensors, metadata = tensorfile.load(path)
    if not set(TENSORS[1:]) <= set(tensors):
        raise InputError(f"{path} is not a prepared data set: {remedy(path)}")
    train = tensors.get("train_images")
    if train is None:
        names = os.fsdecode(tensors["train_files"].numpy().tobytes()).split("\n")
        root = images / "train" if images else None
        train = FolderImages(root, tuple(names), metadata["images"], decoders)
        if images and folder_digest(images) != train.digest:
            raise InputError(
                f"{images} has other images than {path} was prepared from, by their names and "
                f"sizes: give the folder that was prepared, or prepare this one ({remedy(path)})"
            )
    return Dataset(
        metadata["source"],
        train,
        *(tensors[name] for name in TENSORS[1:]),
        mean=float(metadata["mean"]),
        std=float(metadata["std"]),
        sha256=metadata["sha256"],
    )

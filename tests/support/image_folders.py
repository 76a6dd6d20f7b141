"""Folders of images in ImageNet's form."""

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("n01440764", "n01443537", "n02085620")
SIZES = [(300, 260), (57, 91), (224, 500), (401, 225), (256, 256)]


def write_image(path: Path, size: tuple[int, int], seed: int, mode: str = "RGB") -> None:
    """Write a picture with structure at every scale."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)).resize(size)
    fine = rng.integers(-20, 21, (size[1], size[0], 3))
    pixels = np.clip(np.asarray(coarse) + fine, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).convert(mode).save(path, "JPEG")


def write_images(folder: Path) -> Path:
    """Write 15 training and 6 validation images of three classes, odd ones among them."""
    for c, name in enumerate(CLASSES):
        for i, size in enumerate(SIZES):
            mode = {(0, 1): "L", (1, 2): "CMYK"}.get((c, i), "RGB")
            write_image(folder / "train" / name / f"{name}_{i}.JPEG", size, 10 * c + i, mode)
        for i, mode in enumerate(("RGB", ("L", "CMYK", "RGB")[c])):
            path = folder / "val" / name / f"ILSVRC2012_val_{i}.JPEG"
            write_image(path, SIZES[c + i], 100 + 10 * c + i, mode)
    return folder

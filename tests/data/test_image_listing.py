"""What is told of a folder of images without opening any: which there are, wherever they lie."""

import os
import shutil
from pathlib import Path

import pytest
from torchvision.datasets.folder import IMG_EXTENSIONS

from layer_robustness.data.image_listing import EXTENSIONS, folder_digest

FIRST = Path("train/n01440764/0.JPEG")


@pytest.fixture
def folder(tmp_path) -> Path:
    """Two classes, one of which has its images a folder further down."""
    for split in ("train", "val"):
        for inside in ("n01440764", "n01443537/images"):
            (tmp_path / "here" / split / inside).mkdir(parents=True)
            for number in range(3):
                path = tmp_path / "here" / split / inside / f"{number}.JPEG"
                path.write_bytes(bytes(number + 1))
    return tmp_path / "here"


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / FIRST).rename(folder / FIRST.with_name("3.JPEG")),
        lambda folder: (folder / FIRST).write_bytes(bytes(9)),
        lambda folder: (folder / FIRST).rename(folder / "val/n01440764/3.JPEG"),
        lambda folder: (folder / "train/n01443537/images/2.JPEG").unlink(),
    ],
    ids=["name", "size", "split", "one less"],
)
def test_other_images_have_another_digest(folder, change):
    before = folder_digest(folder)
    change(folder)
    assert folder_digest(folder) != before


def test_the_same_images_have_the_same_digest(folder, tmp_path):
    """Elsewhere, written at another time in another order, linked, or with other files beside."""
    before = folder_digest(folder)
    for path in sorted(folder.rglob("*.JPEG"), reverse=True):
        copied = tmp_path / "there" / path.relative_to(folder)
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copied)
        os.utime(copied, (0, 0))
    (tmp_path / "there/train/n01440764/sizes.txt").write_text("about them")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    assert folder_digest(tmp_path / "there") == folder_digest(tmp_path / "link") == before


def test_images_are_what_torchvision_takes_for_them():
    assert EXTENSIONS == IMG_EXTENSIONS

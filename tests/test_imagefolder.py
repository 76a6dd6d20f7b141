"""Folders of images: what is prepared of them, and what is told when they are not as expected."""

import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets, transforms

from layer_robustness import data, imagefolder
from layer_robustness.errors import InputError
from test_checkpoints import ENVIRONMENT

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


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return write_images(tmp_path_factory.mktemp("images"))


@pytest.fixture
def own_folder(tmp_path, folder) -> Path:
    """One to spoil."""
    return shutil.copytree(folder, tmp_path / "images")


@pytest.fixture(scope="module")
def prepared(folder) -> data.Dataset:
    return imagefolder.imagenet(folder)


def reference(split: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The centre crops as torchvision's first transforms make them."""
    view = transforms.Compose(
        [transforms.Resize(256), transforms.CenterCrop(224), transforms.PILToTensor()]
    )
    images, labels = zip(*datasets.ImageFolder(split, transform=view), strict=True)
    return torch.stack(images), torch.tensor(labels)


def test_test_images_are_the_customary_centre_crops(prepared, folder):
    images, labels = reference(folder / "val")
    assert torch.equal(prepared.test_images, images)
    assert torch.equal(prepared.test_labels, labels)
    assert (prepared.image_shape, prepared.classes) == ((3, 224, 224), 3)


def test_training_images_are_those_of_torchvision_in_its_order(prepared, folder):
    found = datasets.ImageFolder(folder / "train")
    files = [str(prepared.train_images.root / file) for file in prepared.train_images.files]
    assert files == [path for path, _ in found.samples]
    assert prepared.train_labels.tolist() == found.targets
    assert len(prepared.train_images) == 15


@pytest.mark.parametrize("most", [20_000, 4])
def test_mean_and_deviation_are_those_of_the_training_crops(folder, monkeypatch, most):
    monkeypatch.setattr(imagefolder, "MEAN_IMAGES", most)
    prepared = imagefolder.imagenet(folder)
    images, _ = reference(folder / "train")
    pixels = images[imagefolder.spread(15, most)].double() / 255
    assert prepared.mean == pytest.approx(float(pixels.mean()), abs=1e-12)
    assert prepared.std == pytest.approx(float(pixels.std(correction=0)), abs=1e-12)


def test_a_sample_is_spread_evenly_and_is_always_the_same():
    sample = imagefolder.spread(1003, 20)
    edges = [part * 1003 // 20 for part in range(21)]
    parts = pairwise(edges)
    assert all(a <= s < b for s, (a, b) in zip(sample.tolist(), parts, strict=True))
    assert torch.equal(sample, imagefolder.spread(1003, 20))
    assert len(set((sample - torch.tensor(edges[:-1])).tolist())) > 10  # at random in its part
    assert imagefolder.spread(15, 20).tolist() == list(range(15))


def test_a_data_set_of_files_comes_back_as_it_was_saved(tmp_path, prepared, folder):
    path = tmp_path / "imagenet.safetensors"
    data.save(prepared, path)
    loaded = data.load(path, folder)
    assert loaded.train_images == prepared.train_images
    for name in ("train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(loaded, name), getattr(prepared, name))
    assert (loaded.mean, loaded.std, loaded.classes) == (prepared.mean, prepared.std, 3)


def test_the_same_images_elsewhere_are_the_same_data_set(tmp_path, prepared, own_folder):
    data.save(prepared, tmp_path / "here.safetensors")
    data.save(imagefolder.imagenet(own_folder), tmp_path / "there.safetensors")
    here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    assert here.read_bytes() == there.read_bytes()
    assert data.load(here, own_folder).train_images.root == own_folder / "train"


def test_another_name_is_another_data_set(tmp_path, prepared, own_folder):
    data.save(prepared, tmp_path / "before.safetensors")
    file = own_folder / "train" / CLASSES[0] / f"{CLASSES[0]}_4.JPEG"
    file.rename(file.with_stem("renamed"))
    data.save(imagefolder.imagenet(own_folder), tmp_path / "after.safetensors")
    before, after = (
        data.load(tmp_path / f"{name}.safetensors", own_folder) for name in ("before", "after")
    )
    assert before.sha256 != after.sha256


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no list of mapped files")
def test_test_images_stay_in_the_file(tmp_path, prepared, folder):
    path = tmp_path / "imagenet.safetensors"
    data.save(prepared, path)
    loaded = data.load(path, folder).to(torch.device("cpu"))
    mapped = [
        line for line in Path("/proc/self/maps").read_text().splitlines() if str(path) in line
    ]
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in mapped]
    assert any(start <= loaded.test_images.data_ptr() < end for start, end in ranges)


def test_labels_move_to_a_device_and_test_images_do_not(prepared):
    moved = prepared.to(torch.device("meta"))
    assert moved.train_labels.is_meta and moved.test_labels.is_meta
    assert moved.device.type == "meta"
    assert moved.test_images is prepared.test_images


def test_the_folder_must_be_given_and_be_the_right_one(tmp_path, prepared, own_folder):
    path = tmp_path / "imagenet.safetensors"
    data.save(prepared, path)
    with pytest.raises(InputError, match=r"imagenet\.safetensors holds the names .*--images"):
        data.load(path)
    for name in (prepared.train_images.files[-1], prepared.train_images.files[0]):
        (own_folder / "train" / name).unlink()
        with pytest.raises(InputError, match=f"{name} is missing: .*give that folder"):
            data.load(path, own_folder)


def spoil_nothing_there(folder):
    shutil.rmtree(folder)


def spoil_no_val(folder):
    shutil.rmtree(folder / "val")


def spoil_flat_val(folder):
    """As ImageNet's archive of validation images is."""
    for path in (folder / "val").glob("*/*"):
        path.rename(folder / "val" / path.name)
    for name in CLASSES:
        (folder / "val" / name).rmdir()


def spoil_empty_class(folder):
    for path in (folder / "train" / CLASSES[1]).iterdir():
        path.unlink()


def spoil_class_of_train_only(folder):
    shutil.rmtree(folder / "val" / CLASSES[2])


def spoil_class_of_val_only(folder):
    shutil.copytree(folder / "val" / CLASSES[2], folder / "val" / "n99999999")


def spoil_truncated(folder):
    path = folder / "val" / CLASSES[1] / "ILSVRC2012_val_1.JPEG"
    path.write_bytes(path.read_bytes()[:2000])


def spoil_no_image(folder):
    (folder / "train" / CLASSES[2] / f"{CLASSES[2]}_3.JPEG").write_text("<html>")


def spoil_line_break(folder):
    path = folder / "train" / CLASSES[2] / f"{CLASSES[2]}_3.JPEG"
    path.rename(path.with_stem("two\nlines"))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (spoil_nothing_there, r"images is not a folder: --images should be"),
        (spoil_no_val, r"images/val is not a folder: --images should be"),
        (spoil_flat_val, r"images/val: .*class folder.* Expected one folder of images"),
        (spoil_empty_class, r"images/train: .*n01443537.* Expected one folder of images"),
        (spoil_class_of_train_only, r"class n02085620 is in .*/train but not in .*/val"),
        (spoil_class_of_val_only, r"class n99999999 is in .*/val but not in .*/train"),
        (spoil_truncated, r"n01443537/ILSVRC2012_val_1\.JPEG cannot be read .*truncated"),
        (spoil_no_image, r"n02085620/n02085620_3\.JPEG cannot be read .*identify"),
        (spoil_line_break, r"two\\nlines\.JPEG' has a line break in it: rename it"),
    ],
)
def test_a_folder_that_is_not_as_expected_is_one_clear_error(own_folder, spoil, complaint):
    spoil(own_folder)
    with pytest.raises(InputError, match=complaint) as raised:
        imagefolder.imagenet(own_folder)
    assert "\n" not in str(raised.value)


def test_the_command_prepares_a_folder_or_fails_in_one_line(tmp_path, own_folder):
    output = tmp_path / "out" / "imagenet.safetensors"

    def prepare():
        module = ["-m", "layer_robustness.commands.data", "imagenet", str(output)]
        command = [sys.executable, *module, "--images", str(own_folder)]
        return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True)

    assert prepare().returncode == 0
    assert data.load(output, own_folder).test_images.shape == (6, 3, 224, 224)
    shutil.rmtree(output.parent)
    spoil_truncated(own_folder)
    ended = prepare()
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ") and ended.stderr.count("\n") == 1
    assert not output.parent.exists() or not list(output.parent.iterdir())

"""Folders of images: what is prepared of them, and what is told when they are not as expected."""

import re
import shutil
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest
import torch
from torchvision import datasets, transforms

from layer_robustness.commands.train import decoders as decoders_of_each
from layer_robustness.data import dataset as data
from layer_robustness.data import imagefolder
from layer_robustness.runtime.errors import InputError
from support.image_folders import CLASSES, write_images
from support.steps import ended

IMAGE = Path(CLASSES[1], f"{CLASSES[1]}_2.JPEG")


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


def test_images_are_those_of_torchvision_in_its_order(prepared, folder):
    """Of val/ the customary centre crops."""
    images, labels = reference(folder / "val")
    assert torch.equal(prepared.test_images, images)
    assert torch.equal(prepared.test_labels, labels)
    assert (prepared.image_shape, prepared.classes) == ((3, 224, 224), 3)
    found = datasets.ImageFolder(folder / "train")
    files = [str(prepared.train_images.root / file) for file in prepared.train_images.files]
    assert files == [path for path, _ in found.samples]
    assert prepared.train_labels.tolist() == found.targets


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


def test_a_data_set_of_files_comes_back_as_it_was_saved(tmp_path, prepared, folder, own_folder):
    """The same images elsewhere are the same data set."""
    here, there = tmp_path / "here.safetensors", tmp_path / "there.safetensors"
    data.save(prepared, here)
    data.save(imagefolder.imagenet(own_folder), there)
    assert here.read_bytes() == there.read_bytes()
    loaded = data.load(here, folder)
    assert loaded.train_images == prepared.train_images
    for name in ("train_labels", "test_images", "test_labels"):
        assert torch.equal(getattr(loaded, name), getattr(prepared, name))
    assert (loaded.mean, loaded.std, loaded.classes) == (prepared.mean, prepared.std, 3)
    assert data.load(here, own_folder).train_images.root == own_folder / "train"


@pytest.mark.skipif(not psutil.LINUX, reason="no list of addresses")
def test_test_images_stay_in_the_file(tmp_path, prepared, folder):
    path = tmp_path / "imagenet.safetensors"
    data.save(prepared, path)
    loaded = data.load(path).to(torch.device("cpu"))
    mapped = psutil.Process().memory_maps(grouped=False)
    ranges = [[int(end, 16) for end in m.addr.split("-")] for m in mapped if m.path == str(path)]
    assert any(start <= loaded.test_images.data_ptr() < end for start, end in ranges)


def test_training_on_other_images_than_were_prepared_is_one_line(tmp_path, prepared, own_folder):
    path, image = tmp_path / "imagenet.safetensors", own_folder / "train" / IMAGE
    data.save(prepared, path)
    with pytest.raises(InputError, match="training images are in a folder: give it as --images"):
        list(imagefolder.centre_crops(data.load(path).train_images, torch.arange(1)))
    image.write_bytes(image.read_bytes() + b"\0")  # the pixels stay, and mean and deviation
    with pytest.raises(InputError, match=f"{own_folder} has other images than {path} was prepared"):
        data.load(path, own_folder)


@pytest.mark.parametrize(
    ("device", "processes", "experiments", "each"),
    [("cuda", 1, 5, 16), ("cuda", 3, 5, 5), ("cpu", 3, 1, 5), ("cpu", 1, 5, 3), ("cpu", 1, 40, 1)],
)
def test_those_that_train_at_once_share_the_processes_that_decode(
    device, processes, experiments, each
):
    """One on each GPU or, on CPUs, as many networks as there are workers."""
    arguments = Namespace(workers=16, processes=processes)
    assert decoders_of_each(arguments, torch.device(device), experiments) == each


def flatten(folder: Path) -> None:
    """As ImageNet's archive of validation images is."""
    for path in (folder / "val").glob("*/*"):
        path.rename(folder / "val" / path.name)
    for name in CLASSES:
        (folder / "val" / name).rmdir()


def break_a_name(folder: Path) -> None:
    path = folder / "train" / CLASSES[2] / f"{CLASSES[2]}_3.JPEG"
    path.rename(path.with_stem("two\nlines"))


def empty_a_class(folder: Path) -> None:
    for path in (folder / "train" / CLASSES[1]).iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda f: shutil.rmtree(f / "val"), r"images/val is not a folder: --images should be"),
        (flatten, r"images/val: .*class folder.* Expected one folder of images"),
        (empty_a_class, r"images/train: .*n01443537.* Expected one folder of images"),
        (
            lambda f: shutil.copytree(f / "val" / CLASSES[2], f / "val/n99999999"),
            r"class n99999999 is in .*/val but not in .*/train",
        ),
        (break_a_name, r"two\\nlines\.JPEG' has a line break in it: rename it"),
    ],
)
def test_a_folder_that_is_not_as_expected_is_one_clear_error(
    tmp_path, own_folder, spoil, complaint
):
    spoil(own_folder)
    output = tmp_path / "out/imagenet.safetensors"
    assert re.search(complaint, ended("data", "imagenet", output, "--images", own_folder))
    assert not output.parent.exists()

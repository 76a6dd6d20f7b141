"""Batches and augmentations, against torchvision's image by image; nothing depends on who asks."""

import re
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor
from torchvision import transforms
from torchvision.datasets.folder import default_loader
from torchvision.transforms import functional as F

from layer_robustness.data.batches import OF_FILES, batches, draw, pad_crop_flip
from layer_robustness.data.dataset import Dataset
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.runtime.ranks import Ranks
from layer_robustness.runtime.seeding import generator
from support.image_folders import CLASSES, write_images
from support.steps import line_of

EXPERIMENT = parse_experiment("cifar10/resnet18/seed0")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return imagenet(write_images(tmp_path_factory.mktemp("images")))


def joined(got) -> tuple[Tensor, Tensor]:
    """All images and labels of an epoch."""
    images, labels, _ = zip(*got, strict=True)
    return torch.cat(images), torch.cat(labels)


def test_crops_and_flips_are_torchvisions():
    draws = torch.cartesian_prod(torch.arange(9), torch.arange(9), torch.arange(2))
    chance = torch.Generator().manual_seed(0)
    images = torch.randint(1, 256, (len(draws), 3, 6, 11), dtype=torch.uint8, generator=chance)
    expected = []
    for image, (top, left, flip) in zip(images, draws.tolist(), strict=True):
        crop = F.crop(F.pad(image, 4), top, left, 6, 11)
        expected.append(F.hflip(crop) if flip else crop)
    got = pad_crop_flip(images, draws)
    assert got.dtype == torch.uint8
    assert torch.equal(got, torch.stack(expected))


def test_draws_reach_every_offset_and_depend_on_names_only():
    draws = draw(EXPERIMENT, 1, 2000)
    for column, below in zip(draws.unbind(1), (9, 9, 2), strict=True):
        counts = torch.bincount(column, minlength=below)
        assert len(counts) == below
        assert counts.min() > 0.7 * 2000 / below
    assert torch.equal(draws, draw(EXPERIMENT, 1, 2000))
    assert not torch.equal(draws, draw(EXPERIMENT.network.seed(1), 1, 2000))
    assert not torch.equal(draws, draw(EXPERIMENT, 2, 2000))


@pytest.mark.parametrize("size", [64, 50])
def test_images_in_memory_are_shuffled_and_augmented_by_their_position(few_digits, recipe, size):
    """Whatever the batches; the last one of 50 has 20."""
    recipe = replace(recipe, batch_size=size)
    order = torch.randperm(320, generator=generator(EXPERIMENT, "order", 3))
    plain, labels = joined(batches(few_digits, EXPERIMENT, 3, recipe))
    assert torch.equal(plain, few_digits.train_images[order])
    assert torch.equal(labels, few_digits.train_labels[order])
    cropped = replace(recipe, augmentation="pad_crop_flip")
    images, same = joined(batches(few_digits, EXPERIMENT, 3, cropped))
    assert torch.equal(images, pad_crop_flip(plain, draw(EXPERIMENT, 3, 320)))
    assert torch.equal(labels, same)


@pytest.mark.parametrize("augmentation", ["pad_crop_flip", "resized_crop_flip"])
def test_ranks_share_the_batches_of_one(files, recipe, few_digits, augmentation):
    """Also from the second batch on; the last batch has 1 image, which both get."""
    dataset, size = (files, 7) if augmentation in OF_FILES else (few_digits, 29)
    recipe = replace(recipe, augmentation=augmentation, batch_size=size)
    every = partial(batches, dataset, EXPERIMENT, 2, recipe)
    alone, parts = list(every())[1:], [list(every(Ranks(rank, 2), done=1)) for rank in range(2)]
    for (images, labels, count), *of_ranks in zip(alone, *parts, strict=True):
        assert count == len(labels)
        for rank, (part_images, part_labels, part_count) in enumerate(of_ranks):
            first = min(rank, count - 1)
            assert torch.equal(part_images, images[first::2])
            assert torch.equal(part_labels, labels[first::2])
            assert part_count == count
    assert count == 1


def oracle(augmentation: str, path, seed: torch.Generator) -> Tensor:
    """The customary pipelines by torchvision's first transforms."""
    crop = {
        "resized_crop_flip": [transforms.RandomResizedCrop(224)],
        "scaled_crop_flip": [transforms.Resize(256), transforms.RandomCrop(224)],
    }[augmentation]
    view = transforms.Compose([*crop, transforms.RandomHorizontalFlip(), transforms.PILToTensor()])
    torch.set_rng_state(seed.get_state())
    return view(default_loader(path))


def decoded_by(workers: int, dataset: Dataset) -> Dataset:
    """The same data set with another number of processes that decode it."""
    return replace(dataset, train_images=replace(dataset.train_images, decoders=workers))


@pytest.mark.parametrize(
    ("augmentation", "workers", "size"), [("resized_crop_flip", 0, 4), ("scaled_crop_flip", 2, 5)]
)
def test_image_files_are_cropped_as_torchvision_does(files, recipe, augmentation, workers, size):
    """By chances of their own, whichever process decodes them."""
    recipe = replace(recipe, augmentation=augmentation, batch_size=size)
    images, labels = joined(batches(decoded_by(workers, files), EXPERIMENT, 2, recipe))
    order = torch.randperm(15, generator=generator(EXPERIMENT, "order", 2))
    assert torch.equal(labels, files.train_labels[order])
    for image, index in zip(images, order.tolist(), strict=True):
        path = files.train_images.root / files.train_images.files[index]
        seed = generator(EXPERIMENT, "augmentation", 2, index)
        assert torch.equal(image, oracle(augmentation, path, seed))


@pytest.mark.parametrize(
    ("kind", "augmentation", "allowed"),
    [
        ("few_digits", "resized_crop_flip", "in memory: set augmentation to none or pad_crop_flip"),
        ("files", "none", "image files: set augmentation to resized_crop_flip or scaled_crop_flip"),
    ],
)
def test_an_augmentation_for_other_data_is_one_clear_error(
    request, recipe, kind, augmentation, allowed
):
    dataset = request.getfixturevalue(kind)
    got = batches(dataset, EXPERIMENT, 1, replace(recipe, augmentation=augmentation))
    assert re.search(f"augmentation {augmentation} .*{allowed}", line_of(next, got))


@pytest.mark.parametrize(("workers", "damage"), [(0, "gone"), (2, "truncated")])
def test_a_damaged_file_is_one_line_also_from_a_worker(tmp_path, recipe, workers, damage):
    dataset = decoded_by(workers, imagenet(write_images(tmp_path)))
    path = tmp_path / "train" / CLASSES[1] / f"{CLASSES[1]}_2.JPEG"
    path.write_bytes(path.read_bytes()[:3000])
    if damage == "gone":
        path.unlink()
    got = batches(dataset, EXPERIMENT, 1, replace(recipe, augmentation="resized_crop_flip"))
    assert f"{path} cannot be read as an image" in line_of(list, got)

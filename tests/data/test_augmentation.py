"""Batches and augmentations, against torchvision's image by image; nothing depends on who asks."""

from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import Tensor
from torchvision import transforms
from torchvision.datasets.folder import default_loader
from torchvision.transforms import functional as F

from layer_robustness.data.augmentation import OF_FILES, crop_flip, draw, pad_crop_flip
from layer_robustness.data.batches import batches
from layer_robustness.data.dataset import Dataset
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.ranks import Ranks
from layer_robustness.runtime.seeding import generator
from support.image_folders import CLASSES, write_images

EXPERIMENTS = [parse_experiment(f"cifar10/resnet18/seed{seed}") for seed in range(2)]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return imagenet(write_images(tmp_path_factory.mktemp("images")))


@pytest.fixture
def cropped(recipe):
    return replace(recipe, augmentation="pad_crop_flip")


@pytest.fixture
def resized(recipe):
    return replace(recipe, augmentation="resized_crop_flip", batch_size=4)


def colours(count: int, height: int = 32, width: int = 32) -> Tensor:
    chance = torch.Generator().manual_seed(0)
    shape = (count, 3, height, width)
    return torch.randint(1, 256, shape, dtype=torch.uint8, generator=chance)


def joined(got) -> tuple[Tensor, Tensor]:
    """All images and labels of an epoch."""
    images, labels, _ = zip(*got, strict=True)
    return torch.cat(images, 1), torch.cat(labels, 1)


@pytest.mark.parametrize(("height", "width"), [(32, 32), (6, 11)])
def test_crops_and_flips_are_torchvisions(height, width):
    draws = torch.cartesian_prod(torch.arange(9), torch.arange(9), torch.arange(2))
    images = colours(len(draws), height, width)
    expected = []
    for image, (top, left, flip) in zip(images, draws.tolist(), strict=True):
        crop = F.crop(F.pad(image, 4), top, left, height, width)
        expected.append(F.hflip(crop) if flip else crop)
    got = pad_crop_flip(images, draws)
    assert got.dtype == torch.uint8
    assert torch.equal(got, torch.stack(expected))


def test_draws_reach_every_offset_and_depend_on_names_only():
    draws = draw(EXPERIMENTS[0], 1, 2000)
    for column, below in zip(draws.unbind(1), (9, 9, 2), strict=True):
        counts = torch.bincount(column, minlength=below)
        assert len(counts) == below
        assert counts.min() > 0.7 * 2000 / below
    assert torch.equal(draws, draw(EXPERIMENTS[0], 1, 2000))
    assert not torch.equal(draws, draw(EXPERIMENTS[1], 1, 2000))
    assert not torch.equal(draws, draw(EXPERIMENTS[0], 2, 2000))


def test_without_augmentation_each_experiment_has_its_own_order(few_digits, recipe):
    got = list(batches(few_digits, EXPERIMENTS, 3, recipe))
    assert [images.shape for images, _, _ in got] == [(2, 64, 1, 28, 28)] * 5
    images, labels = joined(got)
    for index, experiment in enumerate(EXPERIMENTS):
        order = torch.randperm(320, generator=generator(experiment, "order", 3))
        assert torch.equal(images[index], few_digits.train_images[order])
        assert torch.equal(labels[index], few_digits.train_labels[order])


def test_augmentation_goes_by_the_position_in_the_epoch(few_digits, cropped):
    images, labels = joined(batches(few_digits, EXPERIMENTS, 3, cropped))
    odd = replace(cropped, batch_size=50)  # the last batch has 20
    assert torch.equal(images, joined(batches(few_digits, EXPERIMENTS, 3, odd))[0])
    plain, same = joined(batches(few_digits, EXPERIMENTS, 3, replace(cropped, augmentation="none")))
    assert torch.equal(labels, same)
    for index, experiment in enumerate(EXPERIMENTS):
        draws = draw(experiment, 3, 320)
        assert torch.equal(images[index], pad_crop_flip(plain[index], draws))
    alone, _ = joined(batches(few_digits, EXPERIMENTS[1:], 3, cropped))
    assert torch.equal(images[1:], alone)


@pytest.mark.parametrize("augmentation", ["none", "pad_crop_flip", "resized_crop_flip"])
def test_ranks_share_the_batches_of_one(request, recipe, few_digits, augmentation):
    if augmentation in OF_FILES:
        dataset, size = request.getfixturevalue("files"), 7  # 15 images: 7, 7, 1
    else:
        dataset, size = few_digits, 29  # 320 images: the last batch has 1
    recipe = replace(recipe, augmentation=augmentation, batch_size=size)
    every = partial(batches, dataset, EXPERIMENTS[:1], 2, recipe)
    alone, parts = list(every()), [list(every(Ranks(rank, 2))) for rank in range(2)]
    assert len(alone) == len(parts[0]) == len(parts[1])
    for (images, labels, count), *of_ranks in zip(alone, *parts, strict=True):
        assert count == labels.shape[1]
        for rank, (part_images, part_labels, part_count) in enumerate(of_ranks):
            assert torch.equal(part_images, images[:, rank::2])
            assert torch.equal(part_labels, labels[:, rank::2])
            assert part_count == count
    assert parts[1][-1][0].shape == (1, 0, *dataset.image_shape)


def oracle(augmentation: str, path, seed: torch.Generator) -> Tensor:
    """The customary pipelines by torchvision's first transforms."""
    crop = {
        "resized_crop_flip": [transforms.RandomResizedCrop(224)],
        "scaled_crop_flip": [transforms.Resize(256), transforms.RandomCrop(224)],
    }[augmentation]
    view = transforms.Compose([*crop, transforms.RandomHorizontalFlip(), transforms.PILToTensor()])
    torch.set_rng_state(seed.get_state())
    return view(default_loader(path))


@pytest.mark.parametrize("augmentation", OF_FILES)
def test_image_files_are_cropped_as_torchvision_does(files, resized, augmentation):
    recipe = replace(resized, augmentation=augmentation)
    (experiment,) = EXPERIMENTS[:1]
    images, labels = joined(batches(files, [experiment], 2, recipe))
    order = torch.randperm(15, generator=generator(experiment, "order", 2))
    assert torch.equal(labels[0], files.train_labels[order])
    for image, index in zip(images[0], order.tolist(), strict=True):
        path = files.train_images.root / files.train_images.files[index]
        seed = generator(experiment, "augmentation", 2, index)
        assert torch.equal(image, oracle(augmentation, path, seed))


def decoded_by(workers: int, dataset: Dataset) -> Dataset:
    """The same data set with another number of processes that decode it."""
    return replace(dataset, train_images=replace(dataset.train_images, decoders=workers))


def test_images_in_files_do_not_depend_on_workers_or_batches(files, resized):
    epochs = {}
    for workers, size in ((0, 4), (2, 5)):
        recipe, dataset = replace(resized, batch_size=size), decoded_by(workers, files)
        epochs[workers] = joined(batches(dataset, EXPERIMENTS[:1], 2, recipe))[0]
    assert torch.equal(epochs[0], epochs[2])
    other = joined(batches(files, EXPERIMENTS[:1], 3, resized))[0]
    assert not torch.equal(other, epochs[0])


def test_the_crop_of_a_file_leaves_the_global_generator_alone(files):
    image = default_loader(files.train_images.root / files.train_images.files[0])
    crops = [crop_flip("scaled_crop_flip", EXPERIMENTS[0], 1, index, image) for index in (0, 0, 1)]
    assert crops[0] == crops[1] != crops[2]
    before = torch.get_rng_state()
    crop_flip("resized_crop_flip", EXPERIMENTS[0], 1, 0, image)
    assert torch.equal(torch.get_rng_state(), before)


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
    with pytest.raises(InputError, match=f"augmentation {augmentation} .*{allowed}") as raised:
        batches(dataset, EXPERIMENTS[:1], 1, replace(recipe, augmentation=augmentation))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(("workers", "damage"), [(0, "gone"), (2, "truncated")])
def test_a_damaged_file_is_one_line_also_from_a_worker(tmp_path, resized, workers, damage):
    dataset = decoded_by(workers, imagenet(write_images(tmp_path)))
    path = tmp_path / "train" / CLASSES[1] / f"{CLASSES[1]}_2.JPEG"
    path.write_bytes(path.read_bytes()[:3000])
    if damage == "gone":
        path.unlink()
    with pytest.raises(InputError, match=f"{path} cannot be read as an image") as raised:
        list(batches(dataset, EXPERIMENTS[:1], 1, resized))
    assert "\n" not in str(raised.value)

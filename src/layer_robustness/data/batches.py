"""The training images of an epoch, batch by batch."""

from collections.abc import Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from layer_robustness.data.augmentation import crop_flip, draw, pad_crop_flip
from layer_robustness.data.dataset import Dataset, FolderImages
from layer_robustness.data.imagefolder import decoded
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import FOLDER, IN_MEMORY, Recipe
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator

# Images uint8 [K, B, C, H, W], labels int64 [K, B], and how many images all ranks have together.
Batch = tuple[Tensor, Tensor, int]


def batches(
    dataset: Dataset,
    experiments: Sequence[Experiment],
    epoch: int,
    recipe: Recipe,
    device: torch.device,
    rank: int = 0,
    ranks: int = 1,
    done: int = 0,
) -> Iterator[Batch]:
    """Yield the augmented batches of an epoch, K experiments side by side.

    Order and augmentation depend on the experiment and the epoch only. Each of several ranks gets
    its part of the batches that one alone would get; a part may be empty.

    Parameters
    ----------
    dataset
        On `device`; see `Dataset.to`.
    experiments
        Each with an order of its own; only one for a data set of image files.
    rank, ranks
        Which of how many processes that train together this one is.
    done
        How many of the epoch's batches to leave out, as they were trained on before.

    Raises
    ------
    InputError
        If the recipe's augmentation is not for this kind of data set, or an image file cannot be
        decoded.
    """
    files = isinstance(dataset.train_images, FolderImages)
    fitting = FOLDER if files else IN_MEMORY
    if recipe.augmentation not in fitting:
        raise InputError(
            f"augmentation {recipe.augmentation} does not fit {dataset.source}, whose training "
            f"images are {'image files' if files else 'in memory'}: set augmentation to "
            f"{' or '.join(fitting)}"
        )
    of_kind = file_batches if files else tensor_batches
    return of_kind(dataset, experiments, epoch, recipe, device, rank, ranks, done)


def order(dataset: Dataset, experiment: Experiment, epoch: int) -> Tensor:
    """Shuffle the indices of the training images."""
    count = len(dataset.train_images)
    return torch.randperm(count, generator=generator(experiment, "order", epoch))


def take(tensor: Tensor, indices: Tensor) -> Tensor:
    """Return tensor[indices] for indices [K, B]; index_select is the fastest way to gather rows."""
    rows = tensor.index_select(0, indices.reshape(-1))
    return rows.view(*indices.shape, *tensor.shape[1:])


def tensor_batches(
    dataset: Dataset,
    experiments: Sequence[Experiment],
    epoch: int,
    recipe: Recipe,
    device: torch.device,
    rank: int,
    ranks: int,
    done: int,
) -> Iterator[Batch]:
    """Yield batches of images in memory."""
    orders = torch.stack([order(dataset, experiment, epoch) for experiment in experiments])
    wholes = orders.to(device).split(recipe.batch_size, dim=1)
    draws = [None] * len(wholes)
    if recipe.augmentation == "pad_crop_flip":
        chances = torch.stack([draw(e, epoch, orders.shape[1]) for e in experiments])
        draws = chances.to(device).split(recipe.batch_size, dim=1)
    for whole, chance in zip(wholes[done:], draws[done:], strict=True):
        part = whole[:, rank::ranks]
        images = take(dataset.train_images, part)
        if chance is not None:
            chance = chance[:, rank::ranks]
            images = pad_crop_flip(images.flatten(0, 1), chance.flatten(0, 1)).view_as(images)
        yield images, take(dataset.train_labels, part), whole.shape[1]


def file_batches(
    dataset: Dataset,
    experiments: Sequence[Experiment],
    epoch: int,
    recipe: Recipe,
    device: torch.device,
    rank: int,
    ranks: int,
    done: int,
) -> Iterator[Batch]:
    """Yield batches of image files, decoded in worker processes while others are trained on."""
    assert len(experiments) == 1, "image files are decoded for one experiment at a time"
    (experiment,) = experiments
    wholes = order(dataset, experiment, epoch).split(recipe.batch_size)[done:]
    parts = [whole[rank::ranks] for whole in wholes]
    images = decoded(
        dataset.train_images,
        [part.tolist() for part in parts],
        partial(crop_flip, recipe.augmentation, experiment, epoch),
        pinned=device.type == "cuda",
    )
    for whole, part, pixels in zip(wholes, parts, images, strict=True):
        labels = take(dataset.train_labels, part.to(device).unsqueeze(0))
        yield pixels.to(device, non_blocking=True).unsqueeze(0), labels, len(whole)

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
from layer_robustness.runtime.ranks import ALONE, Ranks
from layer_robustness.runtime.seeding import generator

# Images uint8 [K, B, C, H, W], labels int64 [K, B], and how many images all ranks have together.
Batch = tuple[Tensor, Tensor, int]


def batches(
    dataset: Dataset,
    experiments: Sequence[Experiment],
    epoch: int,
    recipe: Recipe,
    ranks: Ranks = ALONE,
    done: int = 0,
) -> Iterator[Batch]:
    """Yield the augmented batches of an epoch, K experiments side by side.

    Order and augmentation depend on the experiment and the epoch only. Each of several ranks gets
    its part of the batches that one alone would get; a part may be empty.

    Parameters
    ----------
    experiments
        Each with an order of its own; only one for a data set of image files.
    done
        How many of the epoch's batches to leave out, as they were trained on before.

    Raises
    ------
    InputError
        If the recipe's augmentation is not for this kind of data set, or an image file cannot be
        decoded.
    """
    images, labels = dataset.train_images, dataset.train_labels
    files = isinstance(images, FolderImages)
    fitting = FOLDER if files else IN_MEMORY
    if recipe.augmentation not in fitting:
        raise InputError(
            f"augmentation {recipe.augmentation} does not fit {dataset.source}, whose training "
            f"images are {'image files' if files else 'in memory'}: set augmentation to "
            f"{' or '.join(fitting)}"
        )
    if files:
        (experiment,) = experiments
        return file_batches(images, labels, experiment, epoch, recipe, ranks, done)
    return tensor_batches(images, labels, experiments, epoch, recipe, ranks, done)


def order(experiment: Experiment, epoch: int, count: int) -> Tensor:
    """Shuffle the indices of the training images."""
    return torch.randperm(count, generator=generator(experiment, "order", epoch))


def take(tensor: Tensor, indices: Tensor) -> Tensor:
    """Return tensor[indices] for indices [K, B]; index_select is the fastest way to gather rows."""
    rows = tensor.index_select(0, indices.reshape(-1))
    return rows.view(*indices.shape, *tensor.shape[1:])


def tensor_batches(
    images: Tensor,
    labels: Tensor,
    experiments: Sequence[Experiment],
    epoch: int,
    recipe: Recipe,
    ranks: Ranks,
    done: int,
) -> Iterator[Batch]:
    """Yield batches of images in memory."""
    count, device = len(labels), labels.device
    orders = torch.stack([order(experiment, epoch, count) for experiment in experiments])
    wholes = orders.to(device).split(recipe.batch_size, dim=1)
    draws = [None] * len(wholes)
    if recipe.augmentation == "pad_crop_flip":
        chances = torch.stack([draw(experiment, epoch, count) for experiment in experiments])
        draws = chances.to(device).split(recipe.batch_size, dim=1)
    for whole, chance in zip(wholes[done:], draws[done:], strict=True):
        part = whole[:, ranks.rank :: ranks.count]
        batch = take(images, part)
        if chance is not None:
            chance = chance[:, ranks.rank :: ranks.count]
            batch = pad_crop_flip(batch.flatten(0, 1), chance.flatten(0, 1)).view_as(batch)
        yield batch, take(labels, part), whole.shape[1]


def file_batches(
    images: FolderImages,
    labels: Tensor,
    experiment: Experiment,
    epoch: int,
    recipe: Recipe,
    ranks: Ranks,
    done: int,
) -> Iterator[Batch]:
    """Yield batches of image files, decoded in worker processes while others are trained on."""
    device = labels.device
    wholes = order(experiment, epoch, len(images)).split(recipe.batch_size)[done:]
    parts = [whole[ranks.rank :: ranks.count] for whole in wholes]
    batches = decoded(
        images,
        [part.tolist() for part in parts],
        partial(crop_flip, recipe.augmentation, experiment, epoch),
        pinned=device.type == "cuda",
    )
    for whole, part, batch in zip(wholes, parts, batches, strict=True):
        of_part = take(labels, part.to(device).unsqueeze(0))
        yield batch.to(device, non_blocking=True).unsqueeze(0), of_part, len(whole)

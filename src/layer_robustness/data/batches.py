"""The training images of an epoch, batch by batch."""

from collections.abc import Iterator
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

# Images uint8 [B, C, H, W], labels int64 [B], and how many images all ranks have together.
Batch = tuple[Tensor, Tensor, int]


def batches(
    dataset: Dataset,
    experiment: Experiment,
    epoch: int,
    recipe: Recipe,
    ranks: Ranks = ALONE,
    done: int = 0,
) -> Iterator[Batch]:
    """Yield the augmented batches of an epoch; files are decoded while others are trained on.

    Order and augmentation depend on the experiment and the epoch only. Each of several ranks gets
    its part of the batches that one alone would get; a part may be empty.

    Parameters
    ----------
    done
        How many of the epoch's batches to leave out, as they were trained on before.

    Raises
    ------
    InputError
        If the recipe's augmentation is not for this kind of data set, or an image file cannot be
        decoded.
    """
    images, labels, size = dataset.train_images, dataset.train_labels, recipe.batch_size
    fitting = FOLDER if isinstance(images, FolderImages) else IN_MEMORY
    if recipe.augmentation not in fitting:
        raise InputError(
            f"augmentation {recipe.augmentation} does not fit {dataset.source}, whose training "
            f"images are {'in memory' if fitting is IN_MEMORY else 'image files'}: set "
            f"augmentation to {' or '.join(fitting)}"
        )
    order = torch.randperm(len(labels), generator=generator(experiment, "order", epoch))
    wholes = order.to(labels.device).split(size)[done:]
    parts = [whole[ranks.rank :: ranks.count] for whole in wholes]
    if isinstance(images, FolderImages):
        views = decoded(
            images,
            [part.tolist() for part in parts],
            partial(crop_flip, recipe.augmentation, experiment, epoch),
            pinned=labels.device.type == "cuda",
        )
    else:  # index_select is the fastest way to gather rows
        views = (images.index_select(0, part) for part in parts)
    if recipe.augmentation == "pad_crop_flip":
        draws = draw(experiment, epoch, len(labels)).to(labels.device).split(size)[done:]
        views = (
            pad_crop_flip(view, chances[ranks.rank :: ranks.count])
            for view, chances in zip(views, draws, strict=True)
        )
    for whole, part, view in zip(wholes, parts, views, strict=True):
        yield view.to(labels.device, non_blocking=True), labels.index_select(0, part), len(whole)

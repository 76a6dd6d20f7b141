"""The training images of an epoch, batch by batch.

Their random changes are drawn by experiment, epoch and image only.
"""

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import v2

from layer_robustness.data.dataset import Dataset, FolderImages
from layer_robustness.data.imagefolder import CROP, SHORTER_SIDE, decoded
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import FOLDER, IN_MEMORY, Recipe
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.ranks import ALONE, Ranks
from layer_robustness.runtime.seeding import generator

PADDING = 4

# Of image files; each ends with a crop, as networks need one size.
OF_FILES = {
    "resized_crop_flip": v2.Compose([v2.RandomResizedCrop(CROP), v2.RandomHorizontalFlip()]),
    "scaled_crop_flip": v2.Compose(
        [v2.Resize(SHORTER_SIDE), v2.RandomCrop(CROP), v2.RandomHorizontalFlip()]
    ),
}

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
    its part of the batches that one alone would get. Of a last batch that has fewer images than
    there are ranks, those without a part get an image that another has, as not every network takes
    none. The first `done` batches are left out, as they were trained on before.

    Raises `InputError` if the recipe's augmentation is not for this kind of data set, or an image
    file cannot be decoded.
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
    parts = [part_of(whole, ranks) for whole in wholes]
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
            pad_crop_flip(view, part_of(chances, ranks))
            for view, chances in zip(views, draws, strict=True)
        )
    for whole, part, view in zip(wholes, parts, views, strict=True):
        yield view.to(labels.device, non_blocking=True), labels.index_select(0, part), len(whole)


def part_of(whole: Tensor, ranks: Ranks) -> Tensor:
    """Return a rank's part of a batch, or one of its images if there are too few."""
    return whole[ranks.rank % len(whole) :: ranks.count]


def draw(experiment: Experiment, epoch: int, count: int) -> Tensor:
    """Draw an epoch's crops and flips, int64 [count, 3], by position in the epoch's order.

    Offset of the crop from the top and from the left of the padded image, 0 to 8, and whether to
    flip, 0 or 1.
    """
    chance = generator(experiment, "augmentation", epoch)
    below = (2 * PADDING + 1, 2 * PADDING + 1, 2)
    return torch.stack([torch.randint(n, (count,), generator=chance) for n in below], dim=1)


def pad_crop_flip(images: Tensor, draws: Tensor) -> Tensor:
    """Pad images with 4 zeros on each side, crop them to their size, flip some left to right.

    Images are uint8 [B, C, H, W] before and after; draws [B, 3], see `draw`, on their device.
    """
    _, channels, height, width = images.shape
    padded = F.pad(images, (PADDING,) * 4)
    top, left, flip = draws.unsqueeze(-1).unbind(1)
    down = torch.arange(height, device=images.device)
    across = torch.arange(width, device=images.device)
    rows = top + down
    columns = left + torch.where(flip == 1, across.flip(0), across)
    # Where in a padded channel each pixel comes from: one gather beats indices for each dimension.
    pixels = rows.unsqueeze(2) * padded.shape[3] + columns.unsqueeze(1)
    pixels = pixels.flatten(1).unsqueeze(1).expand(-1, channels, -1)
    return padded.flatten(2).gather(2, pixels).view_as(images)


def crop_flip(
    augmentation: str, experiment: Experiment, epoch: int, index: int, image: Image
) -> Image:
    """Crop and flip one image file by chances of its own, whichever process decodes it when."""
    chance = generator(experiment, "augmentation", epoch, index)
    torch.set_rng_state(chance.get_state())  # torchvision draws from torch's global generator
    return OF_FILES[augmentation](image)

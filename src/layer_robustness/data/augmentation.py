"""Random changes of training images, drawn by experiment, epoch and image only."""

import torch
import torch.nn.functional as F
from PIL.Image import Image
from torch import Tensor
from torchvision.transforms import v2

from layer_robustness.data.imagefolder import CROP, SHORTER_SIDE
from layer_robustness.experiments.names import Experiment
from layer_robustness.runtime.seeding import generator

PADDING = 4

# Of image files; each ends with a crop, as networks need one size.
OF_FILES = {
    "resized_crop_flip": v2.Compose([v2.RandomResizedCrop(CROP), v2.RandomHorizontalFlip()]),
    "scaled_crop_flip": v2.Compose(
        [v2.Resize(SHORTER_SIDE), v2.RandomCrop(CROP), v2.RandomHorizontalFlip()]
    ),
}


def draw(experiment: Experiment, epoch: int, count: int) -> Tensor:
    """Draw an epoch's crops and flips.

    Returns
    -------
    Tensor
        int64 [count, 3], by position in the epoch's order: the crop's offset from the top and from
        the left of the padded image, 0 to 8, and whether to flip, 0 or 1.
    """
    chance = generator(experiment, "augmentation", epoch)
    below = (2 * PADDING + 1, 2 * PADDING + 1, 2)
    return torch.stack([torch.randint(n, (count,), generator=chance) for n in below], dim=1)


def pad_crop_flip(images: Tensor, draws: Tensor) -> Tensor:
    """Pad images with 4 zeros on each side, crop them to their size, flip some left to right.

    Parameters
    ----------
    images
        uint8 [B, C, H, W]; the same comes back.
    draws
        [B, 3], see `draw`; on the device of the images.
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

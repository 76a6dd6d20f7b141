"""Stand-ins for colour images, made of grey ones, for where CIFAR10 or ImageNet cannot be had."""

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from layer_robustness.data.dataset import Dataset, from_splits


def stand_in(
    source: str, grey: Dataset, shaped: Callable[[Tensor], Tensor] = lambda images: images
) -> Dataset:
    """Make colour images [N, 3, H, W] of grey ones: shape them, and repeat them as 3 channels."""

    def split(images: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        return shaped(images).repeat(1, 3, 1, 1), labels

    assert isinstance(grey.train_images, Tensor)
    return from_splits(
        source,
        split(grey.train_images, grey.train_labels),
        split(grey.test_images, grey.test_labels),
    )


def padded(images: Tensor) -> Tensor:
    """Pad 28 x 28 pixels with zeros to CIFAR10's 32 x 32."""
    return F.pad(images, (2, 2, 2, 2))


def halved(images: Tensor) -> Tensor:
    """Average squares of 4 pixels, 28 x 28 to 14 x 14, rounding half to even.

    A quarter of the pixels make convolutions affordable on a CPU.
    """
    return F.avg_pool2d(images.float(), 2).round().to(images.dtype)

"""Attacks inside a box around each image: FGSM, and PGD in the infinity norm.

They go up the gradient of the cross entropy. Pixels are in [0, 1] and stay there. The tests hold
these few lines to Foolbox, which knows no expectation over transformation.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

Gradient = Callable[[Tensor], Tensor]  # from pixels to the gradient by them


def fgsm(gradient: Gradient, pixels: Tensor, eps: float) -> Tensor:
    """Take one step by the gradient's sign (Goodfellow et al., 2015)."""
    return (pixels + eps * gradient(pixels).sign()).clamp(0, 1)


def pgd(
    gradient: Gradient, pixels: Tensor, start: Tensor, eps: float, step: float, steps: int
) -> Tensor:
    """Take steps by the gradient's sign, each projected into the box (Madry et al., 2018).

    It starts at `pixels` or `random_start`; `eps` is half of the box's side.
    """
    lowest, highest = (pixels - eps).clamp(min=0), (pixels + eps).clamp(max=1)
    for _ in range(steps):
        start = (start + step * gradient(start).sign()).clamp(lowest, highest)
    return start


def random_start(pixels: Tensor, eps: float, random: torch.Generator) -> Tensor:
    """Draw a uniform point of the box around each image; of a CPU's generator, on any device."""
    noise = torch.rand(pixels.shape, generator=random, dtype=pixels.dtype) * 2 - 1
    return (pixels + eps * noise.to(pixels.device)).clamp(0, 1)


def mean_gradient(
    models: Sequence[Callable[[Tensor], Tensor]], pixels: Tensor, labels: Tensor
) -> Tensor:
    """Return the gradient by the pixels of each image's cross entropy, averaged over models.

    With several draws of a random model this is the expectation over transformation of Athalye et
    al. (2018).
    """
    total = torch.zeros_like(pixels)
    for model in models:
        leaf = pixels.detach().requires_grad_()
        loss = nn.functional.cross_entropy(model(leaf), labels, reduction="sum")
        total += torch.autograd.grad(loss, leaf)[0]
    return total / len(models)

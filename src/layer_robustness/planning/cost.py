"""What a network costs, counted from its name: multiply-adds and parameters, without torch."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from layer_robustness.experiments.architectures import (
    IDENTITY_SKIP_STAGES,
    VGG_STAGES,
    resnet_stages,
)
from layer_robustness.experiments.names import Network

VGG_CHANNELS = (64, 128, 256, 512, 512)
VGG_HIDDEN = 4096
RESNET_STEM = 64
BASIC = (64, 128, 256, 512)
BOTTLENECK = (256, 512, 1024, 2048)
SQUEEZE = 4  # a bottleneck's inner channels are a quarter of its outer ones


@dataclass(frozen=True)
class Images:
    """A data set's images: how many of them, [C, H, W] of what a network is given, and classes."""

    train: int
    test: int
    shape: tuple[int, int, int]
    classes: int = 10


# The sources of data/sources.py.
IMAGES = {
    "digits5k": Images(4_000, 1_000, (1, 28, 28)),
    "mnist": Images(60_000, 10_000, (1, 28, 28)),
    "fashion_mnist": Images(60_000, 10_000, (1, 28, 28)),
    "cifar10": Images(50_000, 10_000, (3, 32, 32)),
    "digits5k_as_cifar10": Images(4_000, 1_000, (3, 14, 14)),
    "fashion_mnist_as_cifar10": Images(60_000, 10_000, (3, 32, 32)),
    "imagenet": Images(1_281_167, 50_000, (3, 224, 224), 1000),
    "digits5k_as_imagenet": Images(4_000, 1_000, (3, 28, 28)),
}


@dataclass(frozen=True)
class Cost:
    """Of one forward pass of one image, or of a part of it.

    Parameters
    ----------
    multiply_adds
        Of convolutions and linear layers; one is two of what is often called a FLOP.
    activations
        Numbers that convolutions and linear layers put out.
    """

    multiply_adds: int = 0
    parameters: int = 0
    activations: int = 0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.multiply_adds + other.multiply_adds,
            self.parameters + other.parameters,
            self.activations + other.activations,
        )


def cost(network: Network, images: Images, width: float = 1) -> Cost:
    """Count what `models.build.build` would build; `width` is a recipe's."""
    count = {"fcn": fcn_layers, "vgg": vgg_layers, "resnet": resnet_layers}[network.kind]
    return sum(count(network, images, width), Cost())


def convolution(inputs: int, outputs: int, kernel: int, pixels: int, bias: int = 0) -> Cost:
    """Count a convolution that puts out an image of so many pixels; a linear layer has one."""
    weights = kernel**2 * inputs * outputs
    return Cost(weights * pixels, weights + bias * outputs, outputs * pixels)


def linear(inputs: int, outputs: int) -> Cost:
    """Count a linear layer."""
    return convolution(inputs, outputs, kernel=1, pixels=1, bias=1)


def normalization(network: Network, channels: int) -> Cost:
    """Count a batch normalization, where the network has any."""
    return Cost(parameters=2 * channels if "bn" in network.variant.split("+") else 0)


def halved(sides: tuple[int, int]) -> tuple[int, int]:
    """Height and width after a pooling or a convolution of stride 2."""
    return tuple(math.ceil(side / 2) for side in sides)


def fcn_layers(network: Network, images: Images, _: float) -> Iterator[Cost]:
    """Count each layer of models/fcn.py."""
    depth, hidden = network.fcn_shape
    sizes = [math.prod(images.shape), *[hidden] * depth, images.classes]
    yield from map(linear, sizes, sizes[1:])


def vgg_layers(network: Network, images: Images, width: float) -> Iterator[Cost]:
    """Count each layer of models/vgg.py."""
    inputs, *sides = images.shape
    for channels, layers in zip(VGG_CHANNELS, VGG_STAGES[network.architecture], strict=True):
        outputs = max(1, round(channels * width))
        for _ in range(layers):
            yield convolution(inputs, outputs, 3, math.prod(sides), bias=1)
            yield normalization(network, outputs)
            inputs = outputs
        sides = halved(sides)
    hidden = max(1, round(VGG_HIDDEN * width))
    sizes = [inputs * math.prod(sides), hidden, hidden, images.classes]
    yield from map(linear, sizes, sizes[1:])


def resnet_layers(network: Network, images: Images, width: float) -> Iterator[Cost]:
    """Count each layer of models/resnet.py."""
    color, *sides = images.shape
    inputs = multiple_of_8(RESNET_STEM * width)
    if network.dataset == "imagenet":
        sides = halved(sides)
        yield convolution(color, inputs, 7, math.prod(sides))
        sides = halved(sides)
    else:
        yield convolution(color, inputs, 3, math.prod(sides))
    stages = resnet_stages(network.architecture, network.treatment == "removed")
    identity_skips = network.architecture in IDENTITY_SKIP_STAGES
    basic = identity_skips or network.architecture in ("resnet18", "resnet34")
    for stage, blocks in enumerate(stages):
        channels = (BASIC if basic else BOTTLENECK)[stage]
        outputs = multiple_of_8(round(channels * width))
        before, sides = math.prod(sides), halved(sides) if stage else sides
        if stage and identity_skips:
            yield normalization(network, inputs) + convolution(inputs, outputs, 1, math.prod(sides))
            inputs, before = outputs, math.prod(sides)
        for _ in range(blocks):
            yield residual_block(network, basic, inputs, outputs, before, math.prod(sides))
            inputs, before = outputs, math.prod(sides)
    yield normalization(network, inputs) + linear(inputs, images.classes)


def residual_block(
    network: Network, basic: bool, inputs: int, outputs: int, before: int, after: int
) -> Cost:
    """Count a residual block, from `before` pixels to `after`."""
    inner = outputs if basic else multiple_of_8(outputs / SQUEEZE)
    parts = [normalization(network, inputs), normalization(network, inner)]
    if basic:
        parts += [convolution(inputs, inner, 3, after), convolution(inner, outputs, 3, after)]
    else:
        parts += [normalization(network, inner), convolution(inputs, inner, 1, before)]
        parts += [convolution(inner, inner, 3, after), convolution(inner, outputs, 1, after)]
    if inputs != outputs or before != after:
        parts.append(convolution(inputs, outputs, 1, after))
    return sum(parts, Cost())


def multiple_of_8(channels: float) -> int:
    """Round channels as timm does: up where rounding down would lose more than a tenth."""
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded

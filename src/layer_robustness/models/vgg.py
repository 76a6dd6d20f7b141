"""VGG11, 13, 16 and 19: stages of 3x3 convolutions and pooling, then three linear layers."""

import math
from typing import Any

import torch
from torch import nn
from torchvision.models.vgg import VGG, make_layers

from layer_robustness.experiments.architectures import VGG_STAGES

CHANNELS = (64, 128, 256, 512, 512)  # of the convolutions of each stage
HIDDEN = 4096


def vgg(
    architecture: str,
    image_shape: tuple[int, int, int],
    classes: int,
    width: float = 1,
    normalized: bool = False,
) -> VGG:
    """Build torchvision's VGG, for images of any size and without dropout.

    `width` is a factor of all channels and hidden units. If `normalized`, each convolution's output
    passes a batch normalization.
    """

    def narrowed(count: int) -> int:
        return max(1, round(count * width))

    config = []  # "M" is a pooling
    for channels, convolutions in zip(CHANNELS, VGG_STAGES[architecture], strict=True):
        config += [narrowed(channels)] * convolutions + ["M"]
    layers = make_layers(config, batch_norm=normalized)
    first, *_, last = (layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d))
    if image_shape[0] != 3:
        layers[0] = nn.Conv2d(image_shape[0], first, 3, padding=1)
    side = list(image_shape[1:])
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = True  # nothing changes at 32x32; 14x14 survives the fifth pooling
            side = [math.ceil(length / 2) for length in side]
    with torch.device("meta"):  # of the classifier that is replaced, 100 million weights
        network: Any = VGG(layers, init_weights=False)
    hidden = narrowed(HIDDEN)
    network.avgpool = nn.Identity()
    network.classifier = nn.Sequential(
        nn.Linear(last * math.prod(side), hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, hidden),
        nn.ReLU(inplace=True),
        nn.Linear(hidden, classes),
    )
    return network

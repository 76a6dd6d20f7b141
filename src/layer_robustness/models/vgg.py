"""VGG11, 13, 16 and 19: stages of 3x3 convolutions and pooling, then three linear layers."""

import math

from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from layer_robustness.experiments.architectures import unit_names
from layer_robustness.models.sequence import UnitSequence

CONFIGURATIONS = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}  # torchvision's
HIDDEN = 4096


def vgg(
    architecture: str,
    image_shape: tuple[int, int, int],
    classes: int,
    width: float = 1,
    normalized: bool = False,
) -> UnitSequence:
    """Cut torchvision's convolutions into units, and put fc1, fc2 and final_linear on top.

    Parameters
    ----------
    width
        Factor of all channels and hidden units.
    normalized
        Whether each convolution's output passes a batch normalization.
    """

    def narrowed(count: int) -> int:
        return max(1, round(count * width))

    config = cfgs[CONFIGURATIONS[architecture]]
    config = [narrowed(entry) if isinstance(entry, int) else entry for entry in config]
    layers = list(make_layers(config, batch_norm=normalized))
    first, *_, last = (layer.out_channels for layer in layers if isinstance(layer, nn.Conv2d))
    if image_shape[0] != 3:
        layers[0] = nn.Conv2d(image_shape[0], first, 3, padding=1)
    starts = [index for index, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    convolutions = [
        nn.Sequential(*layers[start:end])
        for start, end in zip(starts, [*starts[1:], len(layers)], strict=True)
    ]
    side = list(image_shape[1:])
    for layer in layers:
        if isinstance(layer, nn.MaxPool2d):
            layer.ceil_mode = True  # nothing changes at 32x32; 14x14 survives the fifth pooling
            side = [math.ceil(length / 2) for length in side]
    hidden = narrowed(HIDDEN)
    linear = [
        nn.Sequential(nn.Flatten(), nn.Linear(last * math.prod(side), hidden), nn.ReLU()),
        nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU()),
        nn.Linear(hidden, classes),
    ]
    units = zip(unit_names(architecture), [*convolutions, *linear], strict=True)
    return UnitSequence(dict(units))

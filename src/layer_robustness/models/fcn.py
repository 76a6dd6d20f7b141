"""FCN D x H: D hidden fully connected layers of H units with ReLU, then a linear classifier."""

import math
from collections import OrderedDict

from torch import nn


def fcn(
    hidden_layers: int, width: int, image_shape: tuple[int, int, int], classes: int
) -> nn.Sequential:
    """Build layer1 ... layer{D+1}; images [N, C, H, W] become logits [N, classes]."""
    sizes = [math.prod(image_shape), *[width] * hidden_layers]
    parts: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, (inputs, outputs) in enumerate(zip(sizes, [*sizes[1:], classes], strict=True), 1):
        parts[f"layer{number}"] = nn.Linear(inputs, outputs)
        if number <= hidden_layers:
            parts[f"relu{number}"] = nn.ReLU(inplace=True)
    return nn.Sequential(parts)

"""FCN D x H: D hidden fully connected layers of H units with ReLU, then a linear classifier."""

import math
from collections import OrderedDict

from torch import nn

from layer_robustness.models.sequence import UnitSequence


def fcn(
    hidden_layers: int, width: int, image_shape: tuple[int, int, int], classes: int
) -> UnitSequence:
    """Build units layer1 ... layer{D+1}; images [N, C, H, W] become logits [N, classes]."""
    sizes = [math.prod(image_shape), *[width] * hidden_layers]
    units = {}
    for number, (inputs, outputs) in enumerate(zip(sizes, [*sizes[1:], classes], strict=True), 1):
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        if number == 1:
            parts["flatten"] = nn.Flatten()
        parts["linear"] = nn.Linear(inputs, outputs)
        if number <= hidden_layers:
            parts["relu"] = nn.ReLU()
        units[f"layer{number}"] = nn.Sequential(parts)
    return UnitSequence(units)

"""When a layer counts as critical. The paper gives no threshold; this one is ours.

The cost of a reset is the part of the way from the full model's test error to chance that the error
goes: 0 where the reset costs nothing, 1 where only guessing is left. A share of the way, other than
a difference of errors, means the same for a network that errs at 0.02 and for one at 0.4.

A layer is critical to a source when the cost is over `CRITICAL`. For a full model at 0.1 and a
chance of 0.9 that is an error over 0.26. At this value the paper's own heatmaps fall into the two
kinds of which its text speaks (the closest: 0.198, a convolution of VGG19 that it calls robust, and
0.24, the joint reset of ResNet18 that it does not).
"""

from typing import Any

CRITICAL = 0.2


def chance(classes: int) -> float:
    """Test error of guessing."""
    return 1 - 1 / classes


def cost(error: Any, full: Any, chance: float) -> Any:
    """Return the cost of a reset; errors are fractions: numbers, arrays or series of them."""
    return (error - full) / (chance - full)


def is_trained(full: float, chance: float) -> bool:
    """Whether a network learned enough for a reset to cost something: a third of what there is.

    The paper's least, FCN 3x16 on CIFAR10, is at 0.57 where chance is at 0.9.
    """
    return full <= 2 / 3 * chance

"""How far a unit's parameters are from their initial values.

With delta the difference of the unit's n parameters from their values at epoch 0, all tensors of
the unit together:

=================  ==================================  ===========================================
quantity           value                               in the paper
=================  ==================================  ===========================================
`dist_l2`          ||delta||_2^2 / sqrt(n)             what its "normalized 2-norm" panels plot
`dist_linf`        sum over tensors of max |delta|     what its infinity-norm panels plot
`dist_l2_stated`   ||delta||_2 / sqrt(n)               the 2-norm of its text
`dist_linf_stated` max |delta|                         the infinity norm of its text
=================  ==================================  ===========================================

That the panels plot the first two is inferred from their values (resources/paper/README.md).
"""

import math
from collections.abc import Mapping

from torch import Tensor

from layer_robustness.models.sequence import unit_state

# Of a network that diverged.
UNMEASURED = dict.fromkeys(("dist_l2", "dist_linf", "dist_l2_stated", "dist_linf_stated"), math.nan)


def distances(
    initial: Mapping[str, Tensor], state: Mapping[str, Tensor], unit: str
) -> dict[str, float]:
    """Return every quantity for one unit of two states of the same network.

    Running statistics count, as they do in the paper's panels; a counter of batches does not.
    """
    before, after = unit_state(initial, unit), unit_state(state, unit)
    deltas = [
        after[name].double() - before[name].double()
        for name in before
        if before[name].is_floating_point()
    ]
    count = sum(delta.numel() for delta in deltas)
    squared = sum(float(delta.square().sum()) for delta in deltas)
    largest = [float(delta.abs().max()) for delta in deltas]
    return {
        "dist_l2": squared / count**0.5,
        "dist_linf": sum(largest),
        "dist_l2_stated": (squared / count) ** 0.5,
        "dist_linf_stated": max(largest),
    }

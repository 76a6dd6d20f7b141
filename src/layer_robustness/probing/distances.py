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
`cosine_distance`  1 - cos(w, w_0)                     not in the paper: how far the unit turned
`norm_ratio`       ||w||_2 / ||w_0||_2                 not in the paper: 0 is a unit that is dead
=================  ==================================  ===========================================

w are the unit's parameters in the state, w_0 at epoch 0.

That the panels plot the first two is inferred from their values (resources/paper/README.md).
"""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from layer_robustness.models.units import state_of

QUANTITIES = (
    *("dist_l2", "dist_linf", "dist_l2_stated", "dist_linf_stated"),
    *("cosine_distance", "norm_ratio"),
)
UNMEASURED = dict.fromkeys(QUANTITIES, math.nan)  # of a network that diverged


def distances(
    initial: Mapping[str, Tensor], state: Mapping[str, Tensor], modules: Sequence[str]
) -> dict[str, float]:
    """Return every quantity for the modules of a unit in two states of the same network.

    Running statistics count, as they do in the paper's panels; a counter of batches does not.
    """
    before, after = state_of(modules, initial), state_of(modules, state)
    floats = [name for name in before if before[name].is_floating_point()]
    pairs = [(before[name].double(), after[name].double()) for name in floats]
    deltas = [there - here for here, there in pairs]
    count = sum(delta.numel() for delta in deltas)
    squared = sum(float(delta.square().sum()) for delta in deltas)
    largest = [float(delta.abs().max()) for delta in deltas]
    first, last = (
        math.sqrt(sum(float(t.square().sum()) for t in side)) for side in zip(*pairs, strict=False)
    )
    product = sum(float((here * there).sum()) for here, there in pairs)
    return {
        "dist_l2": squared / count**0.5,
        "dist_linf": sum(largest),
        "dist_l2_stated": (squared / count) ** 0.5,
        "dist_linf_stated": max(largest),
        "cosine_distance": 1 - product / (first * last) if first * last else math.nan,
        "norm_ratio": last / first if first else math.nan,
    }

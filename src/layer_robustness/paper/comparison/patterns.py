"""Whether one pattern of critical and robust layers is like another, whatever the levels are."""

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import downsampling, identity_skips
from layer_robustness.experiments.names import Network


def told_apart(network: Network) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the units that the paper's text calls critical, and those that it calls robust.

    Of a VGG the convolutions of stages 1 and 2 against those of stage 5, fc1 and fc2; of a ResNet
    stage0 and the downsampling blocks against the blocks with an identity skip (Section 3.2). Of
    other networks, none.
    """
    if network.kind == "vgg":
        lower = [unit for unit in network.units if unit.startswith(("stage1.", "stage2."))]
        upper = [unit for unit in network.units if unit.startswith(("stage5.", "fc"))]
        return tuple(lower), tuple(upper)
    if network.kind == "resnet" and not network.treatment:
        return ("stage0", *downsampling(network)), identity_skips(network)
    return (), ()


def auc(critical: np.ndarray, robust: np.ndarray) -> float:
    """Return how often a critical unit costs more than a robust one, of all pairs; ties are half.

    1 is a perfect order, 0.5 is none. This is the Mann-Whitney statistic, which needs no threshold.
    """
    difference = np.subtract.outer(np.asarray(critical), np.asarray(robust))
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def auc_of(network: Network, costs: pd.Series) -> float | None:
    """Return the AUC of costs by unit, for networks of which the paper tells units apart."""
    critical, robust = told_apart(network)
    if not critical or not {*critical, *robust} <= set(costs.index):
        return None
    return auc(costs[list(critical)].to_numpy(), costs[list(robust)].to_numpy())


def kappa(one: pd.Series, other: pd.Series) -> float | None:
    """Return Cohen's kappa of two classifications into critical and robust: agreement beyond luck.

    1 is full agreement, 0 what two independent classifications with these shares would reach. None
    where both say the same of all units, as there is nothing to agree on.
    """
    agree = float((one == other).mean())
    by_luck = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return None if by_luck == 1 else (agree - by_luck) / (1 - by_luck)

"""What patterns measure. Each takes results and one or more networks and gives a `Statistic`.

Tests hold that the paper's own values show every pattern that can be seen in them.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import RERAND
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.paths import JOINT, PROBE
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError
from layer_robustness.paper.claims.statistics import (
    Statistic,
    difference,
    falling,
    least,
    majority,
    order,
    over_images,
)
from layer_robustness.paper.comparison import agreement
from layer_robustness.storage import bits

# A reset: file, unit or group, source.
Reset = tuple[str, str, str]
JOINTLY: Reset = (JOINT, "all_but_first", "0")


def by_unit(results: Evidence, network: Network, source: str = "0") -> pd.Series:
    """Return the mean cost of each unit's reset, over seeds and draws."""
    return results.costs(network, source=source).mean(axis=1)


def rerandomized_beyond_reinitialized(results: Evidence, network: Network) -> Statistic:
    """Order the resets to fresh values against those to initial ones."""
    fresh, initial = by_unit(results, network, RERAND), by_unit(results, network)
    return order(fresh, initial, f"{len(fresh)} layers, each reset to both")


def told_apart(results: Evidence, network: Network, source: str = "0") -> Statistic:
    """Order what the paper tells apart by the cost of this reset."""
    costs = by_unit(results, network, source)
    critical, robust = agreement.told_apart(network)
    about = f"{len(critical)} critical and {len(robust)} robust units"
    return order(costs[list(critical)], costs[list(robust)], about)


def beyond(
    results: Evidence,
    network: Network,
    reset: Reset,
    others: Sequence[Reset],
    about: str,
    known: float = 0,
) -> Statistic:
    """Test whether a reset costs more than each of others or, of none, than a known cost.

    It is tested over seeds, or over test images where one seed learned.
    """
    full = results.full_rows(network)
    parts = [full]
    for file, unit, source in (reset, *others):
        frame = results.results.of(network, file)
        frame = frame[(frame["unit"] == unit) & (frame["source"] == source)]
        if frame.empty:
            raise NotTestedError(f"{network} has no reset of {unit} to {source} in {file}")
        parts.append(frame[frame["seed"].isin(full["seed"])])

    def differences(errors: np.ndarray) -> np.ndarray:
        costs = results.cost(network, errors[1:], errors[0])
        return costs[0] - costs[1:] if others else costs - known

    if len(full) > 1 or not bits.path_of(Path(full["path"].iloc[0])).is_file():
        errors = [part.groupby("seed")["error"].mean() for part in parts]
        return least([difference(each, about) for each in differences(np.array(errors))])
    missed = np.stack([results.results.missed(part).mean(0) for part in parts])
    return least(over_images(missed, differences, about))


def first_beyond_others(results: Evidence, network: Network) -> Statistic:
    """Cost of the first layer, re-initialized, beyond the highest of the others."""
    first, *others = ((PROBE, unit, "0") for unit in network.units)
    return beyond(results, network, first, others, network.units[0])


def final_linear_tells_resets_apart(results: Evidence, network: Network) -> Statistic:
    """Cost of re-randomizing final_linear beyond that of re-initializing it."""
    unit = "final_linear"
    return beyond(results, network, (PROBE, unit, RERAND), [(PROBE, unit, "0")], unit)


def jointly_beyond_alone(results: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond the highest of its units alone."""
    alone = [(PROBE, unit, "0") for unit in members(network, "all_but_first")]
    return beyond(results, network, JOINTLY, alone, f"{len(alone)} units")


def all_beyond_every_second(results: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing all but the first jointly beyond that of every second."""
    return beyond(results, network, JOINTLY, [(JOINT, "every_second", "0")], "both groups")


def jointly_beyond_frozen(results: Evidence, network: Network, frozen: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond that of freezing it, taken as known."""
    known = results.trained_otherwise(network, frozen).mean()
    return beyond(results, network, JOINTLY, [], "the group", known)


def wider_is_more_robust(results: Evidence, *networks: Network) -> Statistic:
    """Trend of the mean cost of the upper layers with width."""
    costs = results.by_width(networks).mean()
    return falling(costs.index.to_series(), costs, f"{len(costs)} widths")


def distance_misleads(results: Evidence, network: Network) -> Statistic:
    """Trend of cost with distance: units that went further cost less to re-initialize."""
    costs = by_unit(results, network)
    distances = results.distances(network, "dist_l2").mean(axis=1)[costs.index]
    return falling(distances, costs, f"{len(costs)} layers")


def later_is_worse(results: Evidence, network: Network) -> Statistic:
    """Signs of what checkpoint 1 costs beyond checkpoint 0, by unit."""
    later, initial = by_unit(results, network, "1"), by_unit(results, network)
    return majority(later - initial, f"{len(initial)} layers")


def gains_against_fgsm(results: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM, by the classifier that gains least."""
    return least_of_classifiers(results.gains(network, "fgsm"))


def more_against_fgsm(results: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM beyond that under PGD, by the classifier where it is least."""
    return least_of_classifiers(results.gains(network, "fgsm") - results.gains(network, "pgd"))


def least_of_classifiers(gains: pd.DataFrame) -> Statistic:
    """Test whether all classifiers gain, over seeds or, of one seed, repetitions."""
    by_seed = gains.T.groupby("seed").mean().T
    values, of = (by_seed, "seeds") if by_seed.shape[1] > 1 else (gains, "repetitions")
    return least([difference(row, name, of) for name, row in values.iterrows()])

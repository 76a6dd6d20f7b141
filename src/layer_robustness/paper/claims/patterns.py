"""What patterns measure. Each takes results and one or more networks and gives a `Statistic`.

Tests hold that the paper's own values show every pattern that can be seen in them.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import RERAND
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.paths import DISTANCES, JOINT, PROBE
from layer_robustness.figures.collect import last_epoch
from layer_robustness.paper.claims.evidence import (
    ALL_BUT_FIRST,
    EVERY_SECOND,
    INITIAL,
    LATER,
    Evidence,
    NotTestedError,
)
from layer_robustness.paper.claims.levels import by_width, costs_of, name_of
from layer_robustness.paper.claims.statistics import (
    Statistic,
    difference,
    majority,
    order,
    over_images,
    trend,
)
from layer_robustness.paper.comparison import patterns
from layer_robustness.paper.criticality import cost

# A reset: file, unit or group, source.
Reset = tuple[str, str, str]


def by_unit(results: Evidence, network: Network, source: str) -> pd.Series:
    """Return the mean cost of each unit's reset, over seeds and draws."""
    return costs_of(results, network, "all", source).mean(axis=1)


def rerandomized_beyond_reinitialized(results: Evidence, network: Network) -> Statistic:
    """Order the resets to fresh values against those to initial ones."""
    fresh, initial = (by_unit(results, network, source) for source in (RERAND, INITIAL))
    return order(fresh, initial, f"{len(fresh)} layers, each reset to both")


def told_apart(results: Evidence, network: Network, source: str = INITIAL) -> Statistic:
    """Order what the paper tells apart by the cost of this reset."""
    costs = by_unit(results, network, source)
    critical, robust = patterns.told_apart(network)
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
    """Test what a reset costs beyond the costliest of others or, of none, beyond a known cost.

    It is tested over seeds, or over test images where one seed learned.
    """
    frame = results.read(network, PROBE)
    final = frame[frame["source"] == last_epoch(frame)].groupby("seed").head(1)
    full = results.trained(network, final.set_index("seed")["error"])
    chance = results.chance(network)
    rows = [reset_rows(results, network, full.index, *each) for each in (reset, *others)]

    def number(costs: np.ndarray) -> np.ndarray:
        return costs[0] - (costs[1:].max(axis=0) if others else known)

    if len(full) > 1 or not results.has_bits(final):
        errors = [found.groupby("seed")["error"].mean()[full.index] for found in rows]
        return difference(number(cost(np.array(errors), full.to_numpy(), chance)), about)
    parts = [final[final["seed"].isin(full.index)], *rows]
    missed = np.stack([results.results.missed(part).mean(0) for part in parts])
    return over_images(missed, lambda e: number(cost(e[:, 1:].T, e[:, 0], chance)), about)


def reset_rows(
    results: Evidence, network: Network, seeds: pd.Index, file: str, unit: str, source: str
) -> pd.DataFrame:
    """Return the rows of one reset of those seeds, one for each draw."""
    frame = results.read(network, file)
    found = frame[(frame["unit"] == unit) & (frame["source"] == source)]
    if found.empty:
        raise NotTestedError(f"{network} has no reset of {unit} to {source} in {file}")
    return found[found["seed"].isin(seeds)]


def first_beyond_others(results: Evidence, network: Network) -> Statistic:
    """Cost of the first layer, re-initialized, beyond the highest of the others."""
    first, *others = ((PROBE, unit, INITIAL) for unit in network.units)
    return beyond(results, network, first, others, network.units[0])


def final_linear_tells_resets_apart(results: Evidence, network: Network) -> Statistic:
    """Cost of re-randomizing final_linear beyond that of re-initializing it."""
    unit = "final_linear"
    return beyond(results, network, (PROBE, unit, RERAND), [(PROBE, unit, INITIAL)], unit)


def jointly_beyond_alone(results: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond the highest of its units alone."""
    alone = [(PROBE, unit, INITIAL) for unit in members(network, ALL_BUT_FIRST)]
    jointly = JOINT, ALL_BUT_FIRST, INITIAL
    return beyond(results, network, jointly, alone, f"{len(alone)} units")


def all_beyond_every_second(results: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing all but the first jointly beyond that of every second."""
    every, second = ((JOINT, group, INITIAL) for group in (ALL_BUT_FIRST, EVERY_SECOND))
    return beyond(results, network, every, [second], "both groups")


def jointly_beyond_frozen(results: Evidence, network: Network, frozen: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond that of freezing it, taken as known."""
    known = results.trained_otherwise(network, frozen).mean()
    return beyond(results, network, (JOINT, ALL_BUT_FIRST, INITIAL), [], "the group", known)


def wider_is_more_robust(results: Evidence, *networks: Network) -> Statistic:
    """Trend of the mean cost of the upper layers with width."""
    costs = by_width(results, networks).mean()
    return trend(costs.index.to_series(), costs, -1, f"{len(costs)} widths")


def distance_misleads(results: Evidence, network: Network) -> Statistic:
    """Trend of cost with distance: units that went further cost less to re-initialize."""
    costs = by_unit(results, network, INITIAL)
    frame = results.read(network, DISTANCES)
    frame = frame[frame["source"] == last_epoch(frame)]
    distances = frame.groupby("unit")["dist_l2"].mean()[costs.index]
    return trend(distances, costs, -1, f"{len(costs)} layers")


def later_is_worse(results: Evidence, network: Network) -> Statistic:
    """Signs of what checkpoint 1 costs beyond checkpoint 0, by unit."""
    later, initial = (by_unit(results, network, source) for source in (LATER, INITIAL))
    return majority(later - initial, f"{len(initial)} layers")


def gains_against_fgsm(results: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM, by the classifier that gains least."""
    return least(results.gains(network, "fgsm"))


def more_against_fgsm(results: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM beyond that under PGD, by the classifier where it is least."""
    return least(results.gains(network, "fgsm") - results.gains(network, "pgd"))


def least(gains: pd.DataFrame) -> Statistic:
    """Test the classifier that gains least, over seeds or, of one seed, repetitions."""
    classifier = gains.mean(axis=1).idxmin()
    values, about = gains.loc[classifier], name_of(classifier)
    by_seed = values.groupby("seed").mean()
    if len(by_seed) > 1:
        return difference(by_seed, about)
    return difference(values, about, of="repetitions")

"""What the criteria measure. Each takes results and one or more networks and gives a `Sample`.

Costs are those of paper/criticality.py: 0 is the full model, 1 is chance.
"""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from layer_robustness.experiments.groups import identity_skips, members
from layer_robustness.experiments.manifest import RERAND
from layer_robustness.experiments.names import Network
from layer_robustness.figures.collect import bar_errors, last_epoch
from layer_robustness.paper.claims.evidence import (
    CORRELATION,
    SHARE,
    Evidence,
    NotTestedError,
    Sample,
    share,
)
from layer_robustness.paper.criticality import CRITICAL, cost

INITIAL = "0"
LATER = "1"
ALL_BUT_FIRST = "all_but_first"
EVERY_SECOND = "every_second"


Measure = Callable[[Evidence, Network], Sample]
Units = Callable[[Network], Sequence[str]]


def lowest(source: str, units: Units) -> Measure:
    """Measure the unit that costs least on average, of some units reset to a source."""
    return of_one_unit(source, units, pd.Series.idxmin)


def highest(source: str, units: Units) -> Measure:
    """Measure the unit that costs most on average, of some units reset to a source."""
    return of_one_unit(source, units, pd.Series.idxmax)


def of_one_unit(source: str, units: Units, choose: Callable[[pd.Series], Any]) -> Measure:
    """Measure the unit that is chosen by the mean costs of some units reset to a source."""

    def measure(results: Evidence, network: Network) -> Sample:
        costs = results.costs(network, source).loc[list(units(network))]
        unit = choose(costs.mean(axis=1))
        return Sample(costs.loc[unit], unit)

    return measure


def share_robust(source: str, units: Units) -> Measure:
    """Measure the share of units that are robust to a source."""

    def measure(results: Evidence, network: Network) -> Sample:
        costs = results.costs(network, source).loc[list(units(network))]
        return Sample((costs <= CRITICAL).mean(), f"{len(costs)} units", SHARE)

    return measure


def every(network: Network) -> Sequence[str]:
    """All units."""
    return network.units


def upper(network: Network) -> Sequence[str]:
    """All units but the first."""
    return network.units[1:]


def named(*names: str) -> Units:
    """Units of these names, or in stages of these names."""
    return lambda network: [unit for unit in network.units if unit.partition(".")[0] in names]


def all_but_first(network: Network) -> Sequence[str]:
    """The group of this name."""
    return members(network, ALL_BUT_FIRST)


# Claim 1


def mean_of_all_rerandomized(results: Evidence, network: Network) -> Sample:
    """Mean over all layers."""
    costs = results.costs(network, RERAND).loc[list(network.units)]
    return Sample(costs.mean(), f"{len(costs)} layers")


# Claim 3


def upper_layers(results: Evidence, network: Network) -> pd.Series:
    """Mean cost of re-initializing one layer but the first (a bar of Figure 2), by seed."""
    full, reset = bar_errors(results.read(network, "probe.csv"), network)
    full = results.trained(network, full)
    return cost(reset[full.index], full, results.chance(network))


def trend(results: Evidence, *networks: Network) -> Sample:
    """Rank correlation of width and mean cost of the upper layers, where networks learned."""
    by_width = {}
    for network in networks:
        try:
            by_width[network.fcn_shape[1]] = upper_layers(results, network)
        except NotTestedError:
            continue
    costs = pd.DataFrame(by_width)
    learned = costs[costs.notna().sum(axis=1) >= 3]
    if learned.empty:
        raise NotTestedError("fewer than three widths learned")
    trends = learned.apply(lambda row: row.index.to_series().corr(row, method="spearman"), axis=1)
    return Sample(by_draw(trends), f"{len(costs.columns)} widths", CORRELATION)


def widest_to_narrowest(results: Evidence, *networks: Network) -> Sample:
    """Mean cost of the upper layers of the widest network, as a share of the narrowest's."""
    narrowest, widest = (upper_layers(results, network) for network in (networks[0], networks[-1]))
    part_is, whole_is = (f"the cost at {network}" for network in (networks[-1], networks[0]))
    return Sample(by_draw(share(widest, narrowest.mean(), part_is, whole_is)))


def extra_cost(results: Evidence, network: Network, easier: Network) -> Sample:
    """Mean cost of the upper layers beyond that on easier data."""
    return Sample(by_draw(upper_layers(results, network) - upper_layers(results, easier).mean()))


def by_draw(by_seed: pd.Series) -> pd.Series:
    """Give numbers by seed the one draw that re-initialization has."""
    return by_seed.rename_axis("seed").to_frame(0).rename_axis(columns="draw").stack()


# Claim 6


def more_critical(results: Evidence, network: Network, easier: Network) -> Sample:
    """Number of identity-skip blocks that are critical, beyond those on easier data."""
    here, there = (
        (results.costs(one, INITIAL).loc[list(identity_skips(one))] > CRITICAL).sum()
        for one in (network, easier)
    )
    units = len(identity_skips(network))
    return Sample(here - there.mean(), f"{units} units", (-float(units), float(units)))


# Claims 7 and 8


def jointly(results: Evidence, network: Network) -> Sample:
    """The group, re-initialized jointly."""
    costs = results.costs(network, INITIAL, "joint.csv")
    return Sample(costs.loc[ALL_BUT_FIRST], ALL_BUT_FIRST)


def every_second_to_all(results: Evidence, network: Network) -> Sample:
    """Cost of every second unit jointly, as a share of that of all but the first."""
    costs = results.costs(network, INITIAL, "joint.csv")
    shares = share(
        costs.loc[EVERY_SECOND],
        costs.loc[ALL_BUT_FIRST].mean(),
        f"the cost of {EVERY_SECOND}",
        f"the cost of {ALL_BUT_FIRST} in {network}",
    )
    return Sample(shares, EVERY_SECOND)


def joint_beyond_frozen(results: Evidence, plain: Network, frozen: Network) -> Sample:
    """Cost of re-initializing the group jointly beyond that of freezing it in training."""
    together = results.costs(plain, INITIAL, "joint.csv").loc[ALL_BUT_FIRST]
    return Sample(together - trained_otherwise(results, plain, frozen).mean())


def removed_beyond_frozen(
    results: Evidence, plain: Network, frozen: Network, removed: Network
) -> Sample:
    """Cost of removing the group beyond that of freezing it in training."""
    costs = [trained_otherwise(results, plain, other) for other in (removed, frozen)]
    return Sample(by_draw(costs[0] - costs[1].mean()))


def trained_otherwise(results: Evidence, plain: Network, other: Network) -> pd.Series:
    """Cost of training another network in the place of the plain one, by the other's seed."""
    full = results.trained(plain, results.final_errors(plain)).mean()
    return cost(results.final_errors(other), full, results.chance(plain))


# Claims 9 and 10


def distance_correlation(quantity: str) -> Measure:
    """Measure the rank correlation over layers of distance after training and re-initialization."""

    def measure(results: Evidence, network: Network) -> Sample:
        costs = results.costs(network, INITIAL).loc[list(network.units)]
        if (costs.mean(axis=1) > CRITICAL).nunique() < 2:
            raise NotTestedError(f"{network} has not both critical and robust layers")
        distances = results.read(network, "distances.csv")
        distances = distances[distances["source"] == last_epoch(distances)]
        by_seed = distances.pivot(index="unit", columns="seed", values=quantity).loc[costs.index]
        correlations = {
            (seed, draw): by_seed[seed].corr(costs[seed, draw], method="spearman")
            for seed, draw in costs
        }
        by_draw = pd.Series(correlations).rename_axis(["seed", "draw"])
        return Sample(by_draw, f"{len(costs)} layers", CORRELATION)

    return measure


def worse_later(results: Evidence, network: Network) -> Sample:
    """Share of units for which checkpoint 1 costs more than checkpoint 0, by over `CRITICAL`."""
    units = list(network.units)
    later, initial = (results.costs(network, source).loc[units] for source in (LATER, INITIAL))
    return Sample((later - initial > CRITICAL).mean(), f"{len(units)} layers", SHARE)

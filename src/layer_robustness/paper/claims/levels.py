"""What levels measure. Each takes results and one or more networks and gives a `Sample`.

Costs are those of paper/criticality.py: 0 is the full model, 1 is chance.
"""

import pandas as pd

from layer_robustness.experiments.groups import downsampling, identity_skips, members
from layer_robustness.experiments.names import Network
from layer_robustness.figures.collect import bar_errors, last_epoch
from layer_robustness.paper.claims.evidence import (
    ALL_BUT_FIRST,
    CORRELATION,
    EVERY_SECOND,
    INITIAL,
    LATER,
    OF_FRACTIONS,
    SHARE,
    Evidence,
    NotTestedError,
    Sample,
    share,
)
from layer_robustness.paper.criticality import CRITICAL, cost


def costs_of(results: Evidence, network: Network, units: str, source: str) -> pd.DataFrame:
    """Return the costs of resetting some units to a source, as `Evidence.costs`.

    units
        `all`, `upper` (all but the first), `downsampling`, `identity_skips`, `all_but_first`, or
        names of units and of stages.
    """
    named = {
        "all": network.units,
        "upper": network.units[1:],
        "downsampling": downsampling(network),
        "identity_skips": identity_skips(network),
        ALL_BUT_FIRST: members(network, ALL_BUT_FIRST),
    }
    names = units.split()
    chosen = [unit for unit in network.units if unit.partition(".")[0] in names]
    return results.costs(network, source).loc[list(named.get(units, chosen))]


def lowest(
    results: Evidence, network: Network, units: str = "all", source: str = INITIAL
) -> Sample:
    """Measure the unit that costs least on average."""
    costs = costs_of(results, network, units, source)
    unit = costs.mean(axis=1).idxmin()
    return Sample(costs.loc[unit], unit)


def highest(results: Evidence, network: Network, units: str, source: str = INITIAL) -> Sample:
    """Measure the unit that costs most on average."""
    costs = costs_of(results, network, units, source)
    unit = costs.mean(axis=1).idxmax()
    return Sample(costs.loc[unit], unit)


def mean(results: Evidence, network: Network, source: str) -> Sample:
    """Mean cost over all layers."""
    costs = costs_of(results, network, "all", source)
    return Sample(costs.mean(), f"{len(costs)} layers")


def share_robust(results: Evidence, network: Network, units: str, source: str = INITIAL) -> Sample:
    """Share of units that are robust to a source."""
    costs = costs_of(results, network, units, source)
    return Sample((costs <= CRITICAL).mean(), f"{len(costs)} units", SHARE)


def upper_layers(results: Evidence, network: Network) -> pd.Series:
    """Mean cost of re-initializing one layer but the first (a bar of Figure 2), by seed."""
    full, reset = bar_errors(results.read(network, "probe.csv"), network)
    full = results.trained(network, full)
    return cost(reset[full.index], full, results.chance(network))


def by_width(results: Evidence, networks: tuple[Network, ...]) -> pd.DataFrame:
    """Return that cost by seed [rows] and width [columns], of FCNs that learned."""
    costs = {}
    for network in networks:
        try:
            costs[network.fcn_shape[1]] = upper_layers(results, network)
        except NotTestedError:
            continue
    found = pd.DataFrame(costs)
    if len(found.columns) < 3:
        raise NotTestedError("fewer than three widths learned")
    return found


def trend(results: Evidence, *networks: Network) -> Sample:
    """Rank correlation of width and mean cost of the upper layers."""
    costs = by_width(results, networks)
    trends = costs.apply(lambda row: row.index.to_series().corr(row, method="spearman"), axis=1)
    trends = trends.where(costs.notna().sum(axis=1) >= 3)
    return Sample(by_draw(trends), f"{len(costs.columns)} widths", CORRELATION)


def widest_to_narrowest(results: Evidence, narrowest: Network, widest: Network) -> Sample:
    """Mean cost of the upper layers of the widest network, as a share of the narrowest's."""
    part_is, whole_is = (f"the cost at {network}" for network in (widest, narrowest))
    whole = upper_layers(results, narrowest).mean()
    return Sample(by_draw(share(upper_layers(results, widest), whole, part_is, whole_is)))


def extra_cost(results: Evidence, network: Network, easier: Network) -> Sample:
    """Mean cost of the upper layers beyond that on easier data."""
    return Sample(by_draw(upper_layers(results, network) - upper_layers(results, easier).mean()))


def by_draw(by_seed: pd.Series) -> pd.Series:
    """Give numbers by seed the one draw that re-initialization has."""
    return by_seed.rename_axis("seed").to_frame(0).rename_axis(columns="draw").stack()


def more_critical(results: Evidence, network: Network, easier: Network) -> Sample:
    """Number of identity-skip blocks that are critical, beyond those on easier data."""
    here, there = (
        (costs_of(results, one, "identity_skips", INITIAL) > CRITICAL).sum()
        for one in (network, easier)
    )
    units = len(identity_skips(network))
    return Sample(here - there.mean(), f"{units} units", (-float(units), float(units)))


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
    return Sample(together - results.trained_otherwise(plain, frozen).mean())


def removed_beyond_frozen(
    results: Evidence, plain: Network, frozen: Network, removed: Network
) -> Sample:
    """Cost of removing the group beyond that of freezing it in training."""
    costs = [results.trained_otherwise(plain, other) for other in (removed, frozen)]
    return Sample(by_draw(costs[0] - costs[1].mean()))


def distance_correlation(results: Evidence, network: Network, quantity: str) -> Sample:
    """Rank correlation over layers of distance after training and re-initialization."""
    costs = costs_of(results, network, "all", INITIAL)
    if (costs.mean(axis=1) > CRITICAL).nunique() < 2:
        raise NotTestedError(f"{network} has not both critical and robust layers")
    distances = results.read(network, "distances.csv")
    distances = distances[distances["source"] == last_epoch(distances)]
    by_seed = distances.pivot(index="unit", columns="seed", values=quantity).loc[costs.index]
    correlations = costs.apply(lambda c: by_seed[c.name[0]].corr(c, method="spearman"))
    return Sample(correlations, f"{len(costs)} layers", CORRELATION)


def worse_later(results: Evidence, network: Network) -> Sample:
    """Share of units for which checkpoint 1 costs more than checkpoint 0, by over `CRITICAL`."""
    later, initial = (costs_of(results, network, "all", source) for source in (LATER, INITIAL))
    return Sample((later - initial > CRITICAL).mean(), f"{len(initial)} layers", SHARE)


def of_one_classifier(changes: pd.DataFrame, classifier: tuple[float, float]) -> Sample:
    """Take one stochastic classifier of `Evidence.gains`."""
    return Sample(changes.loc[classifier], name_of(classifier), OF_FRACTIONS)


def name_of(classifier: tuple[float, float]) -> str:
    """Tell how many draws a classifier has, and in how many stages it swaps."""
    return "r = {:g}, s = {:g}".format(*classifier)


def clean_loss(results: Evidence, network: Network) -> Sample:
    """Accuracy that is lost without an attack, by the classifier that loses most."""
    losses = -results.gains(network, "clean")
    return of_one_classifier(losses, losses.mean(axis=1).idxmax())


def gain(results: Evidence, network: Network, attack: str) -> Sample:
    """Accuracy that is gained under an attack, by the classifier that gains least."""
    changes = results.gains(network, attack)
    return of_one_classifier(changes, changes.mean(axis=1).idxmin())


def pgd_to_fgsm(results: Evidence, network: Network) -> Sample:
    """Gain against PGD as a share of that against FGSM, of the classifier where it is largest.

    A classifier that gains nothing against FGSM has no such share. Then there is no largest share
    of all classifiers either, and that of the others would pass over the one that fails most.
    """
    pgd, fgsm = (results.gains(network, attack) for attack in ("pgd", "fgsm"))
    shares = {
        classifier: share(
            pgd.loc[classifier],
            whole,
            "its gain against PGD",
            f"the gain of {network} against FGSM ({name_of(classifier)})",
        )
        for classifier, whole in fgsm.mean(axis=1).items()
    }
    largest = max(shares, key=lambda classifier: shares[classifier].mean())
    return Sample(shares[largest], name_of(largest))

"""What levels measure. Each takes results and one or more networks and gives an `Estimate`."""

import pandas as pd

from layer_robustness.experiments.groups import identity_skips
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.paths import JOINT
from layer_robustness.paper.claims import evidence
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError, share
from layer_robustness.paper.claims.statistics import Estimate, estimate
from layer_robustness.paper.criticality import CRITICAL


def lowest(results: Evidence, network: Network, **of: str) -> Estimate:
    """Measure the unit that costs least on average; `of` is as in `Evidence.costs`."""
    return estimate(*evidence.lowest(results.costs(network, **of)))


def highest(results: Evidence, network: Network, **of: str) -> Estimate:
    """Measure the unit that costs most on average; `of` is as in `Evidence.costs`."""
    negative, unit = evidence.lowest(-results.costs(network, **of))
    return estimate(-negative, unit)


def mean(results: Evidence, network: Network, source: str) -> Estimate:
    """Mean cost over all layers."""
    costs = results.costs(network, source=source)
    return estimate(costs.mean(), f"{len(costs)} layers")


def share_robust(results: Evidence, network: Network, **of: str) -> Estimate:
    """Share of units that are robust; `of` is as in `Evidence.costs`."""
    costs = results.costs(network, **of)
    return estimate((costs <= CRITICAL).mean(), f"{len(costs)} units", limits=(0, 1))


def trend(results: Evidence, *networks: Network) -> Estimate:
    """Rank correlation of width and mean cost of the upper layers."""
    costs = results.by_width(networks)
    costs = costs[costs.notna().sum(axis=1) >= 3]
    trends = costs.corrwith(costs.columns.to_series(), axis=1, method="spearman")
    return estimate(trends, f"{len(costs.columns)} widths", limits=(-1, 1))


def widest_to_narrowest(results: Evidence, narrowest: Network, widest: Network) -> Estimate:
    """Mean cost of the upper layers of the widest network, as a share of the narrowest's."""
    part_is, whole_is = (f"the cost at {network}" for network in (widest, narrowest))
    whole = results.upper_layers(narrowest).mean()
    return estimate(share(results.upper_layers(widest), whole, part_is, whole_is))


def extra_cost(results: Evidence, network: Network, easier: Network) -> Estimate:
    """Mean cost of the upper layers beyond that on easier data."""
    return estimate(results.upper_layers(network) - results.upper_layers(easier).mean())


def more_critical(results: Evidence, network: Network, easier: Network) -> Estimate:
    """Number of identity-skip blocks that are critical, beyond those on easier data."""
    here, there = (
        (results.costs(one, "identity_skips") > CRITICAL).sum() for one in (network, easier)
    )
    units = len(identity_skips(network))
    return estimate(here - there.mean(), f"{units} units", limits=(-units, units))


def every_second_to_all(results: Evidence, network: Network) -> Estimate:
    """Cost of every second unit jointly, as a share of that of all but the first."""
    second, every = "every_second", "all_but_first"
    costs, whole = (
        results.costs(network, group, file=JOINT).loc[group] for group in (second, every)
    )
    names = f"the cost of {second}", f"the cost of {every} in {network}"
    return estimate(share(costs, whole.mean(), *names), second)


def joint_beyond_frozen(results: Evidence, plain: Network, frozen: Network) -> Estimate:
    """Cost of re-initializing the group jointly beyond that of freezing it in training."""
    jointly = results.costs(plain, "all_but_first", file=JOINT).squeeze(axis="index")
    return estimate(jointly - results.trained_otherwise(plain, frozen).mean())


def removed_beyond_frozen(
    results: Evidence, plain: Network, frozen: Network, removed: Network
) -> Estimate:
    """Cost of removing the group beyond that of freezing it in training."""
    known = results.trained_otherwise(plain, frozen).mean()
    return estimate(results.trained_otherwise(plain, removed) - known)


def distance_correlation(results: Evidence, network: Network, quantity: str) -> Estimate:
    """Rank correlation over layers of distance after training and re-initialization."""
    costs = results.costs(network)
    if (costs.mean(axis=1) > CRITICAL).nunique() < 2:
        raise NotTestedError(f"{network} has not both critical and robust layers")
    distances = results.distances(network, quantity).loc[costs.index]
    correlations = costs.apply(lambda c: distances[c.name[0]].corr(c, method="spearman"))
    return estimate(correlations, f"{len(costs)} layers", limits=(-1, 1))


def worse_later(results: Evidence, network: Network) -> Estimate:
    """Share of units for which checkpoint 1 costs more than checkpoint 0, by over `CRITICAL`."""
    later, initial = (results.costs(network, source=source) for source in ("1", "0"))
    return estimate((later - initial > CRITICAL).mean(), f"{len(initial)} layers", limits=(0, 1))


def clean_loss(results: Evidence, network: Network) -> Estimate:
    """Accuracy that is lost without an attack, by the classifier that loses most."""
    gains, classifier = evidence.lowest(results.gains(network, "clean"))
    return estimate(-gains, classifier, limits=(-1, 1))


def gain(results: Evidence, network: Network, attack: str) -> Estimate:
    """Accuracy that is gained under an attack, by the classifier that gains least."""
    return estimate(*evidence.lowest(results.gains(network, attack)), limits=(-1, 1))


def pgd_to_fgsm(results: Evidence, network: Network) -> Estimate:
    """Gain against PGD as a share of that against FGSM, of the classifier where it is largest.

    A classifier that gains nothing against FGSM has no such share. Then there is no largest share
    of all classifiers either, and that of the others would pass over the one that fails most.
    """
    pgd, fgsm = (results.gains(network, attack) for attack in ("pgd", "fgsm"))
    shares = {}
    for classifier, whole in fgsm.mean(axis=1).items():
        names = "its gain against PGD", f"the gain of {network} against FGSM ({classifier})"
        shares[classifier] = share(pgd.loc[classifier], whole, *names)
    negative, classifier = evidence.lowest(-pd.DataFrame(shares).T)
    return estimate(-negative, classifier)

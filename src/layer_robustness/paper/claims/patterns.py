"""The pattern of each claim: what can be asked of networks of any data, width and epochs.

The criteria on levels (`criteria`) are for networks that were trained as the paper's were. A small
network on other data has other levels; whether it shows the same pattern is an order, a trend, or
the sign of a difference (`statistics`), which needs no threshold. What was chosen here was chosen
before any result was judged by it, with the paper's text and its own values in view; tests hold
that these values show every pattern that can be seen in them.

Claim 6 and parts of 3 and 8 compare the paper's data sets: they have no pattern to show elsewhere.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import RERAND
from layer_robustness.experiments.names import Network
from layer_robustness.figures.collect import last_epoch
from layer_robustness.paper.claims import adversarial, measures
from layer_robustness.paper.claims.criteria import (
    DISTANCES,
    FCNS,
    JOINT,
    ON_CIFAR10,
    PROBE,
    RESNETS,
    SWAPPED,
    TRAINING,
    VGGS,
    Case,
    each,
    treated,
    widths,
)
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError
from layer_robustness.paper.claims.measures import ALL_BUT_FIRST, EVERY_SECOND, INITIAL
from layer_robustness.paper.claims.statistics import (
    Statistic,
    difference,
    majority,
    order,
    over_images,
    trend,
)
from layer_robustness.paper.comparison.patterns import told_apart
from layer_robustness.paper.criticality import cost

FEWEST = 3  # widths that make a trend

# A reset: file, unit or group, source.
Reset = tuple[str, str, str]


@dataclass(frozen=True)
class Pattern:
    """One pattern of a claim.

    what
        In words, as a statement that is true where the pattern is present.
    measure
        Takes evidence and the networks of a case.
    every
        Whether it is said of all networks; else it is enough that one shows it.
    """

    claim: int
    what: str
    measure: Callable[..., Statistic]
    cases: tuple[Case, ...]
    every: bool = True


def by_unit(evidence: Evidence, network: Network, source: str) -> pd.Series:
    """Return the mean cost of each unit's reset, over seeds and draws."""
    return evidence.costs(network, source).loc[list(network.units)].mean(axis=1)


def rerandomized_beyond_reinitialized(evidence: Evidence, network: Network) -> Statistic:
    """Order the resets to fresh values against those to initial ones."""
    fresh, initial = (by_unit(evidence, network, source) for source in (RERAND, INITIAL))
    return order(fresh, initial, f"{len(fresh)} layers, each reset to both")


def told_apart_by(source: str) -> Callable[[Evidence, Network], Statistic]:
    """Return the measure that orders what the paper tells apart, by the cost of this reset."""

    def measure(evidence: Evidence, network: Network) -> Statistic:
        costs = by_unit(evidence, network, source)
        critical, robust = told_apart(network)
        about = f"{len(critical)} critical and {len(robust)} robust units"
        return order(costs[list(critical)], costs[list(robust)], about)

    return measure


def contrast(
    evidence: Evidence,
    network: Network,
    resets: Mapping[str, Reset],
    number: Callable[[pd.DataFrame], pd.Series],
    about: str,
) -> Statistic:
    """Test a number made of the costs of some resets: over seeds, or over images where one learned.

    Parameters
    ----------
    number
        Takes costs by reset [rows] and gives a number for each column.
    """
    frame = evidence.read(network, PROBE)
    final = frame[frame["source"] == last_epoch(frame)].groupby("seed").head(1)
    full = evidence.trained(network, final.set_index("seed")["error"])
    chance = evidence.chance(network)
    rows = {name: reset_rows(evidence, network, full.index, *r) for name, r in resets.items()}
    if len(full) > 1 or not evidence.has_bits(final):
        errors = {name: found.groupby("seed")["error"].mean() for name, found in rows.items()}
        costs = {name: cost(error, full, chance) for name, error in errors.items()}
        return difference(number(pd.DataFrame(costs).T), about)
    parts = [final[final["seed"].isin(full.index)], *rows.values()]
    missed = np.stack([evidence.results.missed(part).mean(0) for part in parts])

    def of_errors(errors):
        whole, others = errors[:, 0], errors[:, 1:]
        costs = cost(others.T, whole, chance)
        return number(pd.DataFrame(costs, index=list(rows))).to_numpy()

    return over_images(missed, of_errors, about)


def reset_rows(
    evidence: Evidence, network: Network, seeds: pd.Index, file: str, unit: str, source: str
) -> pd.DataFrame:
    """Return the rows of one reset of those seeds, one for each draw."""
    frame = evidence.read(network, file)
    found = frame[(frame["unit"] == unit) & (frame["source"] == source)]
    if found.empty:
        raise NotTestedError(f"{network} has no reset of {unit} to {source} in {file}")
    return found[found["seed"].isin(seeds)]


def first_beyond_others(evidence: Evidence, network: Network) -> Statistic:
    """Cost of the first layer, re-initialized, beyond the highest of the others."""
    resets = {unit: (PROBE, unit, INITIAL) for unit in network.units}
    first, *others = network.units
    return contrast(evidence, network, resets, lambda c: c.loc[first] - c.loc[others].max(), first)


def final_linear_tells_resets_apart(evidence: Evidence, network: Network) -> Statistic:
    """Cost of re-randomizing final_linear beyond that of re-initializing it."""
    resets = {source: (PROBE, "final_linear", source) for source in (RERAND, INITIAL)}

    def number(costs: pd.DataFrame) -> pd.Series:
        return costs.loc[RERAND] - costs.loc[INITIAL]

    return contrast(evidence, network, resets, number, "final_linear")


def jointly_beyond_alone(evidence: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond the highest of its units alone."""
    alone = list(members(network, ALL_BUT_FIRST))
    resets = {unit: (PROBE, unit, INITIAL) for unit in alone}
    resets[ALL_BUT_FIRST] = (JOINT, ALL_BUT_FIRST, INITIAL)

    def number(costs: pd.DataFrame) -> pd.Series:
        return costs.loc[ALL_BUT_FIRST] - costs.loc[alone].max()

    return contrast(evidence, network, resets, number, f"{len(alone)} units")


def all_beyond_every_second(evidence: Evidence, network: Network) -> Statistic:
    """Cost of re-initializing all but the first jointly beyond that of every second."""
    resets = {group: (JOINT, group, INITIAL) for group in (ALL_BUT_FIRST, EVERY_SECOND)}

    def number(costs: pd.DataFrame) -> pd.Series:
        return costs.loc[ALL_BUT_FIRST] - costs.loc[EVERY_SECOND]

    return contrast(evidence, network, resets, number, "both groups")


def jointly_beyond_frozen(evidence: Evidence, network: Network, frozen: Network) -> Statistic:
    """Cost of re-initializing the group jointly beyond that of freezing it, taken as known."""
    resets = {ALL_BUT_FIRST: (JOINT, ALL_BUT_FIRST, INITIAL)}
    known = measures.trained_otherwise(evidence, network, frozen).mean()
    return contrast(evidence, network, resets, lambda c: c.loc[ALL_BUT_FIRST] - known, "the group")


def wider_is_more_robust(evidence: Evidence, *networks: Network) -> Statistic:
    """Trend of the mean cost of the upper layers with width, where networks learned."""
    costs = {}
    for network in networks:
        try:
            costs[network.fcn_shape[1]] = measures.upper_layers(evidence, network).mean()
        except NotTestedError:
            continue
    if len(costs) < FEWEST:
        raise NotTestedError(f"fewer than {FEWEST} widths learned")
    by_width = pd.Series(costs)
    return trend(by_width.index.to_series(), by_width, -1, f"{len(by_width)} widths")


def distance_misleads(evidence: Evidence, network: Network) -> Statistic:
    """Trend of cost with distance: units that went further cost less to re-initialize."""
    costs = by_unit(evidence, network, INITIAL)
    frame = evidence.read(network, DISTANCES)
    frame = frame[frame["source"] == last_epoch(frame)]
    distances = frame.groupby("unit")["dist_l2"].mean()[costs.index]
    return trend(distances, costs, -1, f"{len(costs)} layers")


def later_is_worse(evidence: Evidence, network: Network) -> Statistic:
    """Signs of what checkpoint 1 costs beyond checkpoint 0, by unit."""
    later, initial = (by_unit(evidence, network, source) for source in ("1", INITIAL))
    return majority(later - initial, f"{len(initial)} layers")


def gains_against_fgsm(evidence: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM, by the classifier that gains least."""
    return least(adversarial.gains(evidence, network, "fgsm"))


def more_against_fgsm(evidence: Evidence, network: Network) -> Statistic:
    """Accuracy gained under FGSM beyond that under PGD, by the classifier where it is least."""
    fgsm, pgd = (adversarial.gains(evidence, network, attack) for attack in ("fgsm", "pgd"))
    return least(fgsm - pgd)


def least(gains: pd.DataFrame) -> Statistic:
    """Test the classifier that gains least, over seeds or, of one seed, repetitions."""
    classifier = gains.mean(axis=1).idxmin()
    values = gains.loc[classifier]
    by_seed = values.groupby("seed").mean()
    about = adversarial.name(classifier)
    if len(by_seed) > 1:
        return difference(by_seed, about)
    return difference(values, about, of="repetitions")


WITH_WD_BN = [f"{dataset}/resnet50+wd+bn" for dataset in ("cifar10", "imagenet")]
WITH_JOINT = ["mnist/fcn5x256", *ON_CIFAR10]

PATTERNS = (
    Pattern(
        1,
        "Re-randomizing a layer costs more than re-initializing one.",
        rerandomized_beyond_reinitialized,
        each([*FCNS, *VGGS], PROBE),
    ),
    Pattern(
        2,
        "Re-initializing layer1 costs more than re-initializing any other layer.",
        first_beyond_others,
        each(["mnist/fcn3x256"], PROBE),
    ),
    Pattern(
        3,
        "The wider the FCN, the less it costs to re-initialize an upper layer.",
        wider_is_more_robust,
        tuple(widths(dataset, depth) for dataset in ("mnist", "cifar10") for depth in (3, 5)),
    ),
    Pattern(
        4,
        "Re-initializing a convolution of stages 1 and 2 costs more than one of stage 5, fc1, fc2.",
        told_apart_by(INITIAL),
        each(VGGS, PROBE),
    ),
    Pattern(
        5,
        "Re-initializing stage0 or a downsampling block costs more than an identity-skip block.",
        told_apart_by(INITIAL),
        each(RESNETS, PROBE),
    ),
    Pattern(
        5,
        "So does re-randomizing it.",
        told_apart_by(RERAND),
        each(RESNETS, PROBE),
    ),
    Pattern(
        5,
        "On CIFAR10, re-randomizing final_linear costs more than re-initializing it.",
        final_linear_tells_resets_apart,
        each(ON_CIFAR10, PROBE),
    ),
    Pattern(
        7,
        "All but the first, re-initialized jointly, cost more than the costliest of them alone.",
        jointly_beyond_alone,
        each(WITH_JOINT, PROBE, JOINT),
    ),
    Pattern(
        7,
        "Every second unit, re-initialized jointly, costs less than all but the first.",
        all_beyond_every_second,
        each(["mnist/fcn5x256", *ON_CIFAR10[1:]], PROBE, JOINT),
    ),
    Pattern(
        8,
        "On CIFAR10, re-initializing blocks jointly costs more than freezing them in training.",
        jointly_beyond_frozen,
        tuple(
            treated("cifar10", name, "frozen", files=(PROBE, TRAINING, JOINT))
            for name in ("resnet50", "resnet101", "resnet152")
        ),
    ),
    Pattern(
        9,
        "With weight decay and batch normalization, units that went further cost less to "
        "re-initialize.",
        distance_misleads,
        each(WITH_WD_BN, PROBE, DISTANCES),
        every=False,
    ),
    Pattern(
        10,
        "With weight decay and batch normalization, most units cost more to put back to "
        "checkpoint 1 than to checkpoint 0.",
        later_is_worse,
        each(WITH_WD_BN, PROBE),
        every=False,
    ),
    Pattern(
        11,
        "Swapping random blocks gains accuracy against FGSM.",
        gains_against_fgsm,
        SWAPPED,
    ),
    Pattern(
        11,
        "It gains more against FGSM than against PGD.",
        more_against_fgsm,
        SWAPPED,
    ),
)

"""What claim 11 measures: how accuracy changes when residual blocks are swapped at random.

From adversarial.csv, whose rows have an accuracy (fraction) for each `attack` (clean, fgsm, pgd and
others, which are not the paper's) on the `baseline` and on the `stochastic` classifiers, by `r`,
`s` and `repetition`. Repetitions take the place of draws.
"""

import pandas as pd

from layer_robustness.experiments.names import Network
from layer_robustness.paper.claims.evidence import (
    OF_FRACTIONS,
    Evidence,
    NotTestedError,
    Sample,
    share,
)


def gains(results: Evidence, network: Network, attack: str) -> pd.DataFrame:
    """Accuracy beyond the baseline's: classifiers (r, s) by seeds and repetitions.

    Seeds whose baseline did not learn are left out.

    Raises
    ------
    NotTestedError
        If no baseline learned, or one of the two was not attacked in this way.
    """
    frame = results.read(network, "adversarial.csv").rename(columns={"repetition": "draw"})
    own = frame["configuration"] == "baseline"
    baseline = frame[own].groupby(["attack", "seed"])["accuracy"].mean()
    swapped = frame[(frame["configuration"] == "stochastic") & (frame["attack"] == attack)]
    if swapped.empty or not {"clean", attack} <= set(baseline.index.unique("attack")):
        raise NotTestedError(f"{network} has no rows of {attack} in adversarial.csv")
    learned = results.trained(network, 1 - baseline["clean"]).index
    wide = swapped.pivot(index=["r", "s"], columns=["seed", "draw"], values="accuracy")
    return wide[learned] - baseline[attack][learned].mean()


def name(classifier: tuple[float, float]) -> str:
    """Tell how many draws it has, and in how many stages it swaps."""
    return "r = {:g}, s = {:g}".format(*classifier)


def chosen(changes: pd.DataFrame, classifier: tuple[float, float]) -> Sample:
    """Take one classifier."""
    return Sample(changes.loc[classifier], name(classifier), OF_FRACTIONS)


def clean_loss(results: Evidence, network: Network) -> Sample:
    """Of the classifier that loses most."""
    losses = -gains(results, network, "clean")
    return chosen(losses, losses.mean(axis=1).idxmax())


def fgsm_gain(results: Evidence, network: Network) -> Sample:
    """Of the classifier that gains least."""
    changes = gains(results, network, "fgsm")
    return chosen(changes, changes.mean(axis=1).idxmin())


def pgd_gain(results: Evidence, network: Network) -> Sample:
    """Of the classifier that gains least."""
    changes = gains(results, network, "pgd")
    return chosen(changes, changes.mean(axis=1).idxmin())


def pgd_to_fgsm(results: Evidence, network: Network) -> Sample:
    """Gain against PGD as a share of that against FGSM, of the classifier where it is largest.

    A classifier that gains nothing against FGSM has no such share. Then there is no largest share
    of all classifiers either, and that of the others would pass over the one that fails most.

    Raises
    ------
    NotTestedError
        If a classifier gains nothing against FGSM.
    """
    pgd, fgsm = (gains(results, network, attack) for attack in ("pgd", "fgsm"))
    shares = {
        classifier: share(
            pgd.loc[classifier],
            gain,
            "its gain against PGD",
            f"the gain of {network} against FGSM ({name(classifier)})",
        )
        for classifier, gain in fgsm.mean(axis=1).items()
    }
    largest = max(shares, key=lambda classifier: shares[classifier].mean())
    return Sample(shares[largest], name(largest))

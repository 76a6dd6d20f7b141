"""What is said of a number: with an interval, for levels; with p-values, for patterns.

A pattern's statistic needs no threshold: an order, a trend, or the sign of a difference. How likely
one as large, or as small, is without a pattern, is found by permuting what the pattern is about
(which units are which, widths), or from the spread over seeds; of a single seed, over test images.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf, nan

import numpy as np
import pandas as pd
from scipy import stats

from layer_robustness.paper.comparison.agreement import auc

CONFIDENCE = 0.95
RESAMPLES = 9999  # where permutations are too many to take each
IMAGE_RESAMPLES = 2000
EQUAL = 1e-12  # numbers that differ by less are the same
SIDES = ("greater", "less")  # of a pattern, and of its opposite


@dataclass(frozen=True)
class Estimate:
    """A mean, its t-interval, what this is over, and the layers that it is about."""

    value: float
    low: float
    high: float
    interval: str
    about: str


@dataclass(frozen=True)
class Statistic:
    """One number that a pattern makes large.

    value
        Such as an AUC or a difference of costs.
    holds
        Whether it lies on the pattern's side.
    p, p_opposite
        One-sided p-values of the pattern and of its opposite.
    interval
        What the p-values are from.
    about
        The layers or classifiers that it is about.
    """

    value: float
    holds: bool
    p: float
    p_opposite: float
    interval: str
    about: str


def estimate(
    values: pd.Series, about: str = "", limits: tuple[float, float] = (-inf, inf)
) -> Estimate:
    """Return the mean over seeds of means over draws, with its interval, empty for one number.

    The interval is cut at what the number can be, its `limits`. Values are indexed by `seed`, and
    by `draw` if there are any; NaNs are left out.
    """
    values = values.dropna()
    by_seed = values.groupby("seed").mean()
    over, of = (by_seed, "seeds") if len(by_seed) > 1 else (values, "draws of one seed")
    mean = over.mean()
    if len(over) <= 1:
        return Estimate(mean, nan, nan, "none: one seed, one draw", about)
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(over) - 1) * over.sem()
    low, high = max(mean - half, limits[0]), min(mean + half, limits[1])
    return Estimate(mean, low, high, f"{len(over)} {of}", about)


def order(critical: pd.Series, robust: pd.Series, about: str) -> Statistic:
    """Test whether critical units cost more than robust ones: AUC, permuting which are which."""
    p, opposite = (
        stats.mannwhitneyu(critical, robust, alternative=side, method=permutations()).pvalue
        for side in SIDES
    )
    value = auc(critical, robust)
    return Statistic(value, value > 0.5, p, opposite, "permuted units", about)


def permutations() -> stats.PermutationMethod:
    """All permutations where they are few: many costs are equal, and tables know no ties."""
    return stats.PermutationMethod(n_resamples=RESAMPLES, rng=np.random.default_rng(0))


def falling(x: pd.Series, y: pd.Series, about: str) -> Statistic:
    """Test whether y falls with x: their rank correlation times -1, permuting the pairs."""
    ranks, others = stats.rankdata(x), stats.rankdata(y)
    if np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return Statistic(0, False, 1, 1, "all are the same", about)

    def correlation(values: np.ndarray) -> float:
        return -float(np.corrcoef(values, others)[0, 1])

    value = correlation(ranks)
    p, opposite = (
        stats.permutation_test(
            (ranks,),
            correlation,
            permutation_type="pairings",
            alternative=side,
            n_resamples=RESAMPLES,
            rng=np.random.default_rng(0),
        ).pvalue
        for side in SIDES
    )
    return Statistic(value, value > 0, p, opposite, "permuted pairs", about)


def majority(differences: pd.Series, about: str) -> Statistic:
    """Test whether most of some paired differences are above 0: their signs, flipped by chance."""
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    trials = above + below
    if not trials:
        return Statistic(0.5, False, 1, 1, "signs of pairs", about)
    p, opposite = (stats.binomtest(above, trials, alternative=side).pvalue for side in SIDES)
    return Statistic(above / trials, above > below, p, opposite, "signs of pairs", about)


def difference(values: Iterable[float], about: str, of: str = "seeds") -> Statistic:
    """Test whether a mean over seeds or repetitions is above 0, by Student's t."""
    numbers = np.asarray(list(values), float)
    mean, basis = float(numbers.mean()), f"{len(numbers)} {of}"
    if len(numbers) < 2:
        return Statistic(mean, mean > 0, 0.5, 0.5, "one number, no interval", about)
    if np.ptp(numbers) < EQUAL:  # t is undefined; all have one sign, or are 0
        chance = 0.5 ** len(numbers)
        p, opposite = (chance if side * mean > EQUAL else 1.0 for side in (1, -1))
    else:
        p = float(stats.ttest_1samp(numbers, 0, alternative="greater").pvalue)
        opposite = 1 - p
    return Statistic(mean, mean > 0, p, opposite, basis, about)


def over_images(missed: np.ndarray, numbers: Callable, about: str) -> list[Statistic]:
    """Test whether each of K numbers is above 0, resampling the test images of one network.

    `missed`, bool [R, N], says which of the same N images each of R networks gets wrong. `numbers`
    takes errors [R, B], of B resamples, and gives [K, B].
    """
    images = missed.shape[1]
    random = np.random.default_rng(0)
    counts = random.multinomial(images, np.full(images, 1 / images), IMAGE_RESAMPLES)
    values = numbers(missed.mean(1, keepdims=True)).squeeze(1)
    resampled = numbers((counts @ missed.T / images).T)
    p, opposite = (
        (1 + side.sum(1)) / (IMAGE_RESAMPLES + 1) for side in (resampled <= 0, resampled >= 0)
    )
    basis = f"{images} resampled test images of one seed"
    return [
        Statistic(float(value), bool(value > 0), float(here), float(there), basis, about)
        for value, here, there in zip(values, p, opposite, strict=True)
    ]


def least(found: Sequence[Statistic]) -> Statistic:
    """Return the lowest of several numbers, with p-values of a pattern that says all are above 0.

    It was not known beforehand which is the lowest, so one far below 0 counts the less, the more
    numbers there are (Bonferroni).
    """
    opposite = len(found) * min(each.p_opposite for each in found)
    lowest = min(found, key=lambda each: each.value)
    return replace(lowest, p=max(each.p for each in found), p_opposite=min(1.0, opposite))


def combined(p: Iterable[float]) -> float:
    """Combine the p-values of several networks by Fisher's method."""
    least = 1e-16  # of which there is a logarithm
    return float(stats.combine_pvalues(np.clip(list(p), least, 1)).pvalue)

"""Statistics of a pattern that need no threshold: an order, a trend, or the sign of a difference.

Each gives a value and two one-sided p-values: how likely one as large, or as small, would be if
there were no pattern. A test permutes what the pattern is about (which units are which, widths),
or looks at the spread over seeds; of a single seed, at the spread over test images.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from layer_robustness.paper.comparison.patterns import auc

RESAMPLES = 2000
LEVEL = 0.05


@dataclass(frozen=True)
class Statistic:
    """One number that a pattern makes large.

    value
        Such as an AUC or a difference of costs.
    none
        What it would be without a pattern.
    p, opposite
        One-sided p-values of the pattern and of its opposite.
    basis
        What the p-values are from.
    about
        The layers or classifiers that it is about.
    """

    value: float
    none: float
    p: float
    opposite: float
    basis: str
    about: str = ""

    @property
    def as_predicted(self) -> bool:
        """Whether the number lies on the pattern's side."""
        return self.value > self.none


def order(critical: pd.Series, robust: pd.Series, about: str = "") -> Statistic:
    """Test whether critical units cost more than robust ones: AUC, permuting which are which."""
    p, opposite = (
        float(stats.mannwhitneyu(critical, robust, alternative=side, method="auto").pvalue)
        for side in ("greater", "less")
    )
    return Statistic(auc(critical, robust), 0.5, p, opposite, "permuted units", about)


def trend(x: pd.Series, y: pd.Series, sign: int, about: str = "") -> Statistic:
    """Test a rank correlation of this sign, permuting the pairs; its value is times the sign."""

    ranks, others = stats.rankdata(x), stats.rankdata(y)
    if np.ptp(ranks) == 0 or np.ptp(others) == 0:
        return Statistic(0, 0, 1, 1, "all are the same", about)

    def correlation(values: np.ndarray) -> float:
        return float(np.corrcoef(values, others)[0, 1])

    def one_sided(alternative: Literal["greater", "less"]) -> float:
        random = np.random.default_rng(0)
        found = stats.permutation_test(
            (ranks,),
            correlation,
            permutation_type="pairings",
            alternative=alternative,
            n_resamples=RESAMPLES,
            rng=random,
        )
        return float(found.pvalue)

    p, opposite = one_sided("greater"), one_sided("less")
    if sign < 0:
        p, opposite = opposite, p
    return Statistic(sign * correlation(ranks), 0, p, opposite, "permuted pairs", about)


def majority(differences: pd.Series, about: str = "") -> Statistic:
    """Test whether most of some paired differences are above 0: their signs, flipped by chance."""
    above, below = int((differences > 0).sum()), int((differences < 0).sum())
    trials = above + below
    if not trials:
        return Statistic(0.5, 0.5, 1, 1, "signs of pairs", about)
    p, opposite = (
        float(stats.binomtest(k, trials, alternative="greater").pvalue) for k in (above, below)
    )
    return Statistic(above / trials, 0.5, p, opposite, "signs of pairs", about)


def difference(values: Iterable[float], about: str, of: str = "seeds") -> Statistic:
    """Test whether a mean over seeds or repetitions is above 0, by Student's t."""
    numbers = np.asarray(list(values), float)
    mean = float(numbers.mean())
    if len(numbers) < 2:
        return Statistic(mean, 0, 0.5, 0.5, "one number, no interval", about)
    if np.ptp(numbers) < 1e-12:  # t is undefined; there is no doubt about the sign
        p = 0.0 if mean > 0 else 1.0
        return Statistic(mean, 0, p, 1 - p, f"{len(numbers)} {of}", about)
    p = float(stats.ttest_1samp(numbers, 0, alternative="greater").pvalue)
    return Statistic(mean, 0, p, 1 - p, f"{len(numbers)} {of}", about)


def over_images(missed: np.ndarray, number: Callable, about: str) -> Statistic:
    """Test whether a number is above 0, resampling the test images of one network.

    Parameters
    ----------
    missed
        bool [R, N]: the images that each of R networks gets wrong; the same N images for all.
    number
        Takes errors [B, R] and gives a number for each of B resamples.
    """
    images = missed.shape[1]
    random = np.random.default_rng(0)
    counts = random.multinomial(images, np.full(images, 1 / images), RESAMPLES)
    numbers = number(counts @ missed.T / images)
    value = float(number(missed.mean(1)[None])[0])
    p, opposite = (
        float((1 + side.sum()) / (RESAMPLES + 1)) for side in (numbers <= 0, numbers >= 0)
    )
    return Statistic(value, 0, p, opposite, f"{images} resampled test images of one seed", about)


def combined(statistics: Iterable[Statistic]) -> tuple[float, float]:
    """Combine the p-values of several networks by Fisher's method: of the pattern, its opposite."""
    found = list(statistics)
    least = 1e-16  # of which there is a logarithm
    p, opposite = (
        float(stats.combine_pvalues(np.clip(values, least, 1)).pvalue)
        for values in ([s.p for s in found], [s.opposite for s in found])
    )
    return p, opposite

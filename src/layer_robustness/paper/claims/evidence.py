"""What the results say of single networks: costs of resets, final errors, and their intervals."""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

import pandas as pd
from scipy.special import stdtrit  # Student's t; scipy.stats takes a second to import

from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures import collect
from layer_robustness.paper.criticality import chance, cost, is_trained
from layer_robustness.paper.setups import is_the_papers
from layer_robustness.storage import bits

# Epochs that units are put back to, and groups that are reset jointly.
INITIAL, LATER = "0", "1"
ALL_BUT_FIRST, EVERY_SECOND = "all_but_first", "every_second"

CONFIDENCE = 0.95
# Errors and accuracies are counts over at most some 50000 images: a mean difference below this is
# 0 up to rounding.
ROUNDING = 1e-9

# What a number can be at the least and at the most.
Limits = tuple[float, float]
UNLIMITED: Limits = (-inf, inf)  # a cost: a reset may help, or end worse than chance
SHARE: Limits = (0.0, 1.0)
CORRELATION: Limits = (-1.0, 1.0)
OF_FRACTIONS: Limits = (-1.0, 1.0)  # a difference of accuracies


class NotTestedError(Exception):
    """Results cannot test something; the message says why."""


@dataclass(frozen=True)
class Sample:
    """A number for each seed and draw, the layers that it is about, and what the number can be.

    values
        Index `seed`, `draw`; NaN where the number is undefined.
    """

    values: pd.Series
    layers: str = ""
    limits: Limits = UNLIMITED


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95% t-interval: over seeds, or of one seed over draws; `basis` says which."""

    mean: float
    low: float
    high: float
    basis: str


def estimate(values: pd.Series, limits: Limits = UNLIMITED) -> Estimate:
    """Return the mean over seeds of means over draws, with its interval, empty for one number.

    The interval is cut at what the number can be, its `limits`. NaNs are left out.
    """
    values = values.dropna()
    by_seed = values.groupby("seed").mean()
    over, of = (by_seed, "seeds") if len(by_seed) > 1 else (values, "draws of one seed")
    if len(over) == 1:
        return Estimate(over.mean(), float("nan"), float("nan"), "none: one seed, one draw")
    half = stdtrit(len(over) - 1, (1 + CONFIDENCE) / 2) * over.sem()
    low, high = max(over.mean() - half, limits[0]), min(over.mean() + half, limits[1])
    return Estimate(over.mean(), low, high, f"{len(over)} {of}")


def share(part: pd.Series, whole: float, part_is: str, whole_is: str) -> pd.Series:
    """Return a cost or gain as a share of another, the whole; both are told in words.

    Raises
    ------
    NotTestedError
        If the whole is not positive: the share's sign and size would then say nothing of the part.
    """
    if whole < ROUNDING:
        raise NotTestedError(
            f"{whole_is} is {whole:z.3f}, not above 0, so {part_is} cannot be a share of it"
        )
    return part / whole


def not_diverged(network: Network, errors: pd.Series) -> pd.Series:
    """Leave out the seeds whose training diverged; their errors, by seed, are NaN."""
    errors = errors.dropna()
    if errors.empty:
        raise NotTestedError(f"{network} did not train")
    return errors


@dataclass(frozen=True)
class Evidence:
    """What results say of networks; raises `NotTestedError` where they say nothing."""

    results: Results

    def require(self, needs: Iterable[tuple[Network, str]]) -> None:
        """Raise `NotTestedError` where one of these files of networks is not there."""
        for network, file in needs:
            if not self.results.ran([network]):
                raise NotTestedError(f"{network} was not run")
            if not self.results.has(network, file):
                raise NotTestedError(f"{network} has no {file}")

    def require_papers_setup(self, networks: Iterable[Network]) -> None:
        """Raise `NotTestedError` where a network's data, width or epochs are not the paper's."""
        for network in networks:
            setup = self.results.setups[str(network)]
            if not is_the_papers(setup, network.dataset):
                raise NotTestedError(
                    f"{network} was run on {setup.data}, width {setup.width:g}, {setup.epochs} "
                    "epochs: its levels cannot be compared with the paper's"
                )

    def has_bits(self, rows: pd.DataFrame) -> bool:
        """Whether it is known which images these rows get wrong."""
        return all(bits.path_of(Path(path)).is_file() for path in rows["path"].unique())

    def read(self, network: Network, file: str) -> pd.DataFrame:
        """Return the rows of every seed."""
        return self.results.of(network, file)

    def chance(self, network: Network) -> float:
        """Test error of guessing."""
        return chance(self.results.setups[str(network)].classes)

    def trained(self, network: Network, full: pd.Series) -> pd.Series:
        """Keep the full model's errors of the seeds that learned; the others say nothing."""
        full = not_diverged(network, full)
        learned = full[is_trained(full, self.chance(network))]
        if learned.empty:
            raise NotTestedError(f"{network} did not learn (test error {full.mean():.2f})")
        return learned

    def final_errors(self, network: Network) -> pd.Series:
        """Test error after the last epoch, by seed, of the trainings that did not diverge."""
        return not_diverged(network, collect.final_errors(self.read(network, "training.csv")))

    def costs(self, network: Network, source: str, file: str = "probe.csv") -> pd.DataFrame:
        """Return the cost of each reset to a source: units [rows] by seeds and draws [columns]."""
        frame = self.read(network, file)
        final = frame["source"] == collect.last_epoch(frame)
        full = self.trained(network, frame[final].groupby("seed")["error"].first())
        resets = frame[(frame["source"] == source) & frame["seed"].isin(full.index)]
        if resets.empty:
            raise NotTestedError(f"{network} has no reset to {source} in {file}")
        damage = cost(resets["error"], resets["seed"].map(full), self.chance(network))
        return resets.assign(cost=damage).pivot(
            index="unit", columns=["seed", "draw"], values="cost"
        )

    def trained_otherwise(self, plain: Network, other: Network) -> pd.Series:
        """Cost of training another network in the place of the plain one, by the other's seed."""
        full = self.trained(plain, self.final_errors(plain)).mean()
        return cost(self.final_errors(other), full, self.chance(plain))

    def gains(self, network: Network, attack: str) -> pd.DataFrame:
        """Accuracy that swapping blocks at random gains: classifiers (r, s) by seeds and draws.

        From the rows of adversarial.csv, whose repetitions take the place of draws. Seeds whose
        baseline did not learn are left out.
        """
        frame = self.read(network, "adversarial.csv").rename(columns={"repetition": "draw"})
        own = frame["configuration"] == "baseline"
        baseline = frame[own].groupby(["attack", "seed"])["accuracy"].mean()
        swapped = frame[(frame["configuration"] == "stochastic") & (frame["attack"] == attack)]
        if swapped.empty or not {"clean", attack} <= set(baseline.index.unique("attack")):
            raise NotTestedError(f"{network} has no rows of {attack} in adversarial.csv")
        learned = self.trained(network, 1 - baseline["clean"]).index
        wide = swapped.pivot(index=["r", "s"], columns=["seed", "draw"], values="accuracy")
        return wide[learned] - baseline[attack][learned].mean()

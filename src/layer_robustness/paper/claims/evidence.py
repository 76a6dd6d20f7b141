"""What results say of single networks: costs of resets and of other trainings, distances, gains.

Costs are those of paper/criticality.py: 0 is the full model, 1 is chance.
"""

from dataclasses import dataclass

import pandas as pd

from layer_robustness.experiments.groups import downsampling, identity_skips, members
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.paths import ADVERSARIAL, DISTANCES, JOINT, PROBE, TRAINING
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import bar_errors, final_errors, last_epoch
from layer_robustness.paper import criticality

# Errors and accuracies are counts over at most some 50000 images: a mean difference below this is
# 0 up to rounding.
ROUNDING = 1e-9


class NotTestedError(Exception):
    """Results cannot test something; the message says why."""


def share(part: pd.Series, whole: float, part_is: str, whole_is: str) -> pd.Series:
    """Return a cost or gain as a share of another, the whole; both are told in words.

    Raises `NotTestedError` if the whole is not positive: the share's sign and size would then say
    nothing of the part.
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

    def cost(self, network: Network, error: pd.Series, full: pd.Series | float) -> pd.Series:
        """Return the cost of errors, given those of the full model."""
        chance = criticality.chance(self.results.setups[str(network)].classes)
        return criticality.cost(error, full, chance)

    def trained(self, network: Network, full: pd.Series) -> pd.Series:
        """Keep the full model's errors of the seeds that learned; the others say nothing."""
        full = not_diverged(network, full)
        chance = criticality.chance(self.results.setups[str(network)].classes)
        learned = full[criticality.is_trained(full, chance)]
        if learned.empty:
            raise NotTestedError(f"{network} did not learn (test error {full.mean():.2f})")
        return learned

    def full_rows(self, network: Network, file: str = PROBE) -> pd.DataFrame:
        """Return a row of the full model, reset to the final epoch, for each seed that learned."""
        frame = self.results.of(network, file)
        final = frame[frame["source"] == last_epoch(frame)].groupby("seed").head(1)
        learned = self.trained(network, final.set_index("seed")["error"])
        return final[final["seed"].isin(learned.index)]

    def costs(
        self, network: Network, units: str = "all", source: str = "0", file: str = PROBE
    ) -> pd.DataFrame:
        """Return the cost of each reset to a source: units [rows] by seeds and draws [columns].

        units
            `all`, `upper` (all but the first), `downsampling`, `identity_skips`, `all_but_first`,
            or names of units and of stages; of joint.csv a group.
        """
        full = self.full_rows(network, file).set_index("seed")["error"]
        frame = self.results.of(network, file)
        if source == last_epoch(frame):
            raise NotTestedError(f"{network}: epoch {source} is the trained network itself")
        resets = frame[(frame["source"] == source) & frame["seed"].isin(full.index)]
        if resets.empty:
            raise NotTestedError(f"{network} has no reset to {source} in {file}")
        cost = self.cost(network, resets["error"], resets["seed"].map(full))
        costs = resets.assign(cost=cost).pivot(
            index="unit", columns=["seed", "draw"], values="cost"
        )
        if file == JOINT:
            return costs.loc[[units]]
        named = {
            "all": network.units,
            "upper": network.units[1:],
            "downsampling": downsampling(network),
            "identity_skips": identity_skips(network),
            "all_but_first": members(network, "all_but_first"),
        }
        chosen = [unit for unit in network.units if unit.partition(".")[0] in units.split()]
        return costs.loc[list(named.get(units, chosen))]

    def upper_layers(self, network: Network) -> pd.Series:
        """Mean cost of re-initializing one layer but the first (a bar of Figure 2), by seed."""
        full, reset = bar_errors(self.results.of(network, PROBE), network)
        full = self.trained(network, full)
        return self.cost(network, reset[full.index], full)

    def by_width(self, networks: tuple[Network, ...]) -> pd.DataFrame:
        """Return that cost by seed [rows] and width [columns], of FCNs that learned."""
        costs = {}
        for network in networks:
            try:
                costs[network.fcn_shape[1]] = self.upper_layers(network)
            except NotTestedError:
                continue
        if len(costs) < 3:
            raise NotTestedError("fewer than three widths learned")
        return pd.DataFrame(costs)

    def trained_otherwise(self, plain: Network, other: Network) -> pd.Series:
        """Cost of training another network in the place of the plain one, by the other's seed."""
        own, others = (final_errors(self.results.of(n, TRAINING)) for n in (plain, other))
        full = self.trained(plain, own).mean()
        return self.cost(plain, not_diverged(other, others), full)

    def distances(self, network: Network, quantity: str) -> pd.DataFrame:
        """Distance from initialization after training: units [rows] by seeds [columns]."""
        frame = self.results.of(network, DISTANCES)
        frame = frame[frame["source"] == last_epoch(frame)]
        return frame.pivot(index="unit", columns="seed", values=quantity)

    def gains(self, network: Network, attack: str) -> pd.DataFrame:
        """Accuracy that swapping blocks at random gains: classifiers by seeds and draws.

        From the rows of adversarial.csv, whose repetitions take the place of draws. Seeds whose
        baseline did not learn are left out.
        """
        frame = self.results.of(network, ADVERSARIAL).rename(columns={"repetition": "draw"})
        own = frame["configuration"] == "baseline"
        baseline = frame[own].groupby(["attack", "seed"])["accuracy"].mean()
        swapped = frame[(frame["configuration"] == "stochastic") & (frame["attack"] == attack)]
        if swapped.empty or not {"clean", attack} <= set(baseline.index.unique("attack")):
            raise NotTestedError(f"{network} has no rows of {attack} in {ADVERSARIAL}")
        learned = self.trained(network, 1 - baseline["clean"]).index
        wide = swapped.pivot(index=["r", "s"], columns=["seed", "draw"], values="accuracy")
        wide.index = ["r = {:g}, s = {:g}".format(*classifier) for classifier in wide.index]
        return wide[learned].sub(baseline[attack], level="seed", axis="columns")


def lowest(numbers: pd.DataFrame) -> tuple[pd.Series, str]:
    """Return the row that is lowest on average, and its name."""
    name = numbers.mean(axis=1).idxmin()
    return numbers.loc[name], name

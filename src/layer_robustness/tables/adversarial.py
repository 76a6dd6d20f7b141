"""Table 2: accuracies of stochastic classifiers under attack, in percent."""

from pathlib import Path

import pandas as pd

from layer_robustness.experiments import Network
from layer_robustness.figures.collect import read
from layer_robustness.tables.errors import written
from layer_robustness.tables.registry import DRAWS, FILES, Table


def accuracy(
    results: Path, network: Network, seeds: int, replaced: int, attack: str
) -> tuple[float, float]:
    """Mean and sample standard deviation over repetitions, in percent, averaged over seeds.

    A baseline (`replaced` is 0) has no random choice to take an expectation over: its `pgd_eot` is
    `pgd`.
    """
    frame = read(results, network, seeds, FILES["accuracy"])
    if not replaced and attack == "pgd_eot":
        attack = "pgd"
    rows = (frame["s"].fillna(0) == replaced) & (frame["attack"] == attack)
    by_seed = frame[rows].groupby("seed")["accuracy"]
    return 100 * by_seed.mean().mean(), 100 * by_seed.std().mean()


def collect(table: Table, results: Path, seeds: dict[str, int]) -> pd.DataFrame:
    """Return the table's numbers in percent; cells of networks without seeds are empty.

    Parameters
    ----------
    results
        Folder of the preset.
    seeds
        Number of seeds of each network that was trained.
    """
    rows = []
    for dataset, architecture, replaced in table.rows:
        values = {
            "architecture": architecture.removeprefix("resnet"),
            "configuration": "stochastic" if replaced else "baseline",
            "r": DRAWS if replaced else None,
            "s": replaced or None,
        }
        for column in table.columns:
            network = column.network((dataset, architecture, replaced))
            mean = deviation = float("nan")
            if trained := seeds.get(str(network)):
                mean, deviation = accuracy(results, network, trained, replaced, column.name)
            values |= {f"{column.name}_mean": mean, f"{column.name}_std": deviation}
        rows.append(values)
    return pd.DataFrame(rows).astype({"r": "Int64", "s": "Int64"})


def layout(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table as it is read, "69.85 ± 1.60" in its cells; a baseline has no r and s."""
    shown = {
        "network": "ResNet" + frame["architecture"],
        "configuration": frame["configuration"],
        "r": frame["r"].astype("string").fillna(""),
        "s": frame["s"].astype("string").fillna(""),
    }
    for column in table.columns:
        cells = frame[[f"{column.name}_mean", f"{column.name}_std"]].itertuples(index=False)
        shown[column.title] = [written(*numbers, table.decimals) for numbers in cells]
    return pd.DataFrame(shown)

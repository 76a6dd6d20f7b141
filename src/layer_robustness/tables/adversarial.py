"""Table 2: accuracies of stochastic classifiers under attack, in percent."""

import pandas as pd

from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures.names import PAPERS_DATA, Sources
from layer_robustness.tables.errors import written
from layer_robustness.tables.registry import DRAWS, FILES, Table


def accuracy(
    results: Results, network: Network, replaced: int, attack: str
) -> tuple[float, float, int]:
    """Mean and sample standard deviation over repetitions, in percent, averaged over seeds.

    The last number is how many seeds diverged; they are left out.

    A baseline (`replaced` is 0) has no random choice to take an expectation over: its `pgd_eot` is
    `pgd`.
    """
    frame = results.of(network, FILES["accuracy"])
    if not replaced and attack == "pgd_eot":
        attack = "pgd"
    rows = (frame["s"].fillna(0) == replaced) & (frame["attack"] == attack)
    by_seed = frame[rows].groupby("seed")["accuracy"]
    means = by_seed.mean()
    return 100 * means.mean(), 100 * by_seed.std().mean(), means.isna().sum()


def collect(table: Table, results: Results) -> pd.DataFrame:
    """Return the table's numbers in percent; cells of networks that were not run are empty."""
    rows = []
    for row in table.rows:
        values = {
            "architecture": row.architecture.removeprefix("resnet"),
            "configuration": "stochastic" if row.replaced else "baseline",
            "r": DRAWS if row.replaced else None,
            "s": row.replaced or None,
        }
        for column in table.columns:
            network = column.network(row)
            found = (float("nan"), float("nan"), None)
            if results.ran([network]):
                found = accuracy(results, network, row.replaced, column.name)
            values |= dict(zip(column.headings, found, strict=True))
        rows.append(values)
    counts = dict.fromkeys(["r", "s", *(column.headings[2] for column in table.columns)], "Int64")
    return pd.DataFrame(rows).astype(counts)


def layout(table: Table, frame: pd.DataFrame, *, sources: Sources = PAPERS_DATA) -> pd.DataFrame:
    """Return the table as it is read, "69.85 ± 1.60" in its cells; a baseline has no r and s.

    Its only data set stands in its title.
    """
    shown = {
        "network": "ResNet" + frame["architecture"],
        "configuration": frame["configuration"],
        "r": frame["r"].astype("string").fillna(""),
        "s": frame["s"].astype("string").fillna(""),
    }
    for column in table.columns:
        cells = frame[list(column.headings)].itertuples(index=False)
        shown[column.title] = [written(*numbers, decimals=table.decimals) for numbers in cells]
    return pd.DataFrame(shown)

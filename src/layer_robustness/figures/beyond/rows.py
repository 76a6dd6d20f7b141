"""From the rows of a probe to what a figure draws of them."""

from collections.abc import Iterable, Sequence

import pandas as pd

from layer_robustness.experiments.sources import EPOCH, INTERPOLATE, place
from layer_robustness.networks.result import Result

TOO_LITTLE = "learned too little"  # of a network whose resets have no cost


def cells(result: Result, measure: str, sources: Sequence[str]) -> pd.DataFrame:
    """Mean over draws of a measure: a row for each unit and each of the sources that there are.

    Its columns are `unit`, `source`, `value` and `draws`; units in order, sources as given.
    """
    rows = result.resets[result.resets["source"].isin(sources)]
    places = {"unit": list(rows["unit"].unique()), "source": sources}
    by = rows.groupby(["unit", "source"])[measure]
    found = by.agg(value="mean", draws="count").reset_index()
    return found.sort_values(
        ["unit", "source"], key=lambda column: column.map(places[column.name].index)
    ).reset_index(drop=True)


def costs(result: Result, sources: Sequence[str]) -> pd.DataFrame:
    """Return the cost of each reset, as `cells` does an error."""
    found = cells(result, "error", sources)
    return found.assign(value=result.cost(found["value"]))


def states(sources: Iterable[str]) -> dict[str, str]:
    """Return fresh and earlier values among sources, in order of time, each with its label.

    As in the paper, the label is `rerand` or the epoch.
    """
    epochs = sorted(int(s.removeprefix("epoch")) for s in sources if EPOCH.fullmatch(s))
    labels = {"rerand": "rerand", "reinit": "0"} | {f"epoch{n}": str(n) for n in epochs}
    return {source: label for source, label in labels.items() if source in sources}


def on_line(result: Result, measure: str) -> pd.DataFrame:
    """Return a measure for each unit (rows) at each place of its line (columns, from 0 to 1).

    The ends are `reinit` and the trained network; empty if either end or the line was not measured.
    """
    sources = list(result.resets["source"].unique())
    line = {source: place(source) for source in sources if source.startswith(INTERPOLATE)}
    inner = {source: at for source, at in line.items() if 0 < at < 1}
    if "reinit" not in sources or not inner:
        return pd.DataFrame()
    found = cells(result, measure, ["reinit", *inner])
    found["a"] = found["source"].map({"reinit": 0.0, **inner})
    grid = found.pivot(index="unit", columns="a", values="value").loc[found["unit"].unique()]
    grid[1.0] = float(result.frame[measure].iloc[0])
    return grid


def barriers(losses: pd.DataFrame) -> pd.Series:
    """Return the most that each row exceeds the straight line between its first and last value.

    Columns are places from 0 to 1; a row that never does has 0.
    """
    at = losses.columns.to_numpy(float)
    first, last = losses[[0.0]].to_numpy(), losses[[1.0]].to_numpy()
    return (losses - (first + (last - first) * at)).max(axis=1).clip(lower=0)

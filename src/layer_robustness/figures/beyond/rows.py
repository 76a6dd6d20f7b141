"""From the rows of a probe to what a figure draws of them."""

from collections.abc import Iterable, Sequence

import pandas as pd

from layer_robustness.experiments.sources import EPOCH, INTERPOLATE, place
from layer_robustness.networks.result import Result


def cells(result: Result, measure: str, sources: Sequence[str]) -> pd.DataFrame:
    """Mean over draws of a measure: a row for each unit and each of the sources that there are.

    Its columns are `unit`, `source`, `value` and `draws`; units in order, sources as given.
    """
    rows = result.resets[result.resets["source"].isin(sources)]
    by = rows.groupby(["unit", "source"], sort=False)
    found = by[measure].agg(["mean", "count"]).reset_index()
    found.columns = ["unit", "source", "value", "draws"]
    place = {source: number for number, source in enumerate(sources)}
    units = {unit: number for number, unit in enumerate(found["unit"].unique())}
    order = sorted(
        range(len(found)), key=lambda n: (units[found["unit"][n]], place[found["source"][n]])
    )
    return found.iloc[order].reset_index(drop=True)


def costs(result: Result, sources: Sequence[str]) -> pd.DataFrame:
    """Return the cost of each reset, as `cells` does an error."""
    found = cells(result, "error", sources)
    return found.assign(value=result.cost(found["value"]))


def states(sources: Iterable[str]) -> dict[str, str]:
    """Return fresh and earlier values among sources, in order of time, each with its label.

    As in the paper, the label is `rerand` or the epoch.
    """
    epochs = {int(s.removeprefix("epoch")): s for s in sources if EPOCH.fullmatch(s)}
    found = {"rerand": "rerand", "reinit": "0"}
    found |= {epochs[number]: str(number) for number in sorted(epochs)}
    return {source: name for source, name in found.items() if source in set(sources)}


def places(sources: Iterable[str]) -> dict[str, float]:
    """Return the inner places of the line among sources, from the initial weights on."""
    found = {source: place(source) for source in sources if source.startswith(INTERPOLATE)}
    return dict(sorted(found.items(), key=lambda item: item[1]))


def on_line(result: Result, measure: str) -> pd.DataFrame:
    """Return a measure for each unit (rows) at each place of its line (columns, from 0 to 1).

    The ends are `reinit` and the trained network; empty if either end or the line was not measured.
    """
    sources = list(result.resets["source"].unique())
    inner = {source: at for source, at in places(sources).items() if 0 < at < 1}
    if "reinit" not in sources or not inner:
        return pd.DataFrame()
    found = cells(result, measure, ["reinit", *inner])
    columns = found["source"].map({"reinit": 0.0, **inner}).rename("a")
    grid = found.pivot_table(index="unit", columns=columns, values="value", sort=False)
    grid[1.0] = float(result.frame[measure].iloc[0])
    return grid


def barriers(losses: pd.DataFrame) -> pd.Series:
    """Return the most that each row exceeds the straight line between its first and last value.

    Columns are places from 0 to 1; a row that never does has 0.
    """
    at = losses.columns.to_numpy(float)
    first, last = losses[[0.0]].to_numpy(), losses[[1.0]].to_numpy()
    return (losses - (first + (last - first) * at)).max(axis=1).clip(lower=0)

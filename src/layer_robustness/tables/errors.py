"""Tables 1 and 3: errors in percent, a mean and a standard deviation in each cell."""

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import final_errors
from layer_robustness.figures.names import (
    DID_NOT_TRAIN,
    PAPERS_DATA,
    Sources,
    data_label,
    printed,
)
from layer_robustness.tables.registry import FILES, Column, Table


def test_error(training: pd.DataFrame) -> tuple[float, float, int]:
    """Mean and sample standard deviation over seeds of the error after the last epoch."""
    errors = final_errors(training)
    return errors.mean(), errors.std(), errors.isna().sum()


def reinit_error(probe: pd.DataFrame, network: Network) -> tuple[float, float, int]:
    """Mean and standard deviation of the error over blocks, one of them reset to checkpoint 0.

    The blocks are all but the first of each stage. Both numbers are of a seed, averaged over
    seeds. The deviation is the population's (divided by n), which is what the paper's values of
    Figures 4 and 5 give: 5.40 for ResNet50 on ImageNet, where 5.36 is printed.
    """
    blocks = probe["unit"].isin(members(network, "all_but_first")) & (probe["source"] == "0")
    by_seed = probe[blocks].groupby("seed")["error"]
    means = by_seed.mean()
    return means.mean(), by_seed.std(ddof=0).mean(), means.isna().sum()


def cell(column: Column, network: Network, results: Results) -> tuple[float, float, int]:
    """Return a cell's mean and deviation in percent, and how many seeds diverged.

    These are left out. The deviation over one seed is NaN, and so are both where none is left.
    """
    frame = results.of(network, FILES[column.quantity])
    if column.quantity == "reinit_error":
        mean, deviation, absent = reinit_error(frame, network)
    else:
        mean, deviation, absent = test_error(frame)
    return 100 * mean, 100 * deviation, absent


def collect(table: Table, results: Results) -> pd.DataFrame:
    """Return a table's numbers in percent; cells of networks that were not run are empty."""
    rows = []
    for row in table.rows:
        values = {"dataset": row.dataset, "architecture": row.architecture}
        for column in table.columns:
            network = column.network(row)
            found = (float("nan"), float("nan"), None)
            if results.ran([network]):
                found = cell(column, network, results)
            values |= dict(zip(column.headings, found, strict=True))
        rows.append(values)
    counts = {column.headings[2]: "Int64" for column in table.columns}
    return pd.DataFrame(rows).astype(counts)


def layout(table: Table, frame: pd.DataFrame, *, sources: Sources = PAPERS_DATA) -> pd.DataFrame:
    """Return the table as it is read: names as the paper writes them, "8.40 ± 0.12", "not run"."""
    labels = {name: data_label(name, sources.get(name, "")) for name in frame["dataset"].unique()}
    shown = {
        "data set": frame["dataset"].map(labels),
        "network": frame["architecture"].map(printed),
    }
    for column in table.columns:
        cells = frame[list(column.headings)].itertuples(index=False)
        shown[column.title] = [written(*numbers, decimals=table.decimals) for numbers in cells]
    return pd.DataFrame(shown)


def written(mean: float, deviation: float, absent: int, decimals: int) -> str:
    """Write one cell; `absent` seeds are not in the mean, as they did not train."""
    if pd.isna(absent):
        return "not run"
    if pd.isna(mean):
        return DID_NOT_TRAIN
    shown = f"{mean:.{decimals}f}"
    if pd.notna(deviation):
        shown += f" ± {deviation:.{decimals}f}"
    seeds = "seed" if absent == 1 else "seeds"
    return f"{shown} ({absent} {seeds} {DID_NOT_TRAIN})" if absent else shown

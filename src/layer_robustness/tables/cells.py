"""The cells of a table: a mean and a standard deviation in percent, or why there are none."""

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import final_errors
from layer_robustness.figures.names import DID_NOT_TRAIN, NOT_RUN, Sources, data_label, printed
from layer_robustness.tables.registry import DRAWS, FILES, Column, Row, Table

# A mean, a deviation, and how many seeds diverged; these are left out of both.
Cell = tuple[float, float, int]


def cell(column: Column, row: Row, results: Results) -> Cell:
    """Return a cell as fractions; a deviation over one number is NaN, and so is all of nothing.

    test_error
        Mean and sample standard deviation over seeds of the error after the last epoch.
    reinit_error
        Mean and standard deviation of the error over all blocks but the first of each stage, one
        of them reset to checkpoint 0. Both numbers are of a seed, averaged over seeds.
    accuracy
        Mean and sample standard deviation over repetitions, averaged over seeds.
    """
    network = column.network(row)
    frame = results.of(network, FILES[column.quantity])
    if column.quantity == "test_error":
        errors = final_errors(frame)
        return errors.mean(), errors.std(), errors.isna().sum()
    if column.quantity == "reinit_error":
        blocks = frame["unit"].isin(members(network, "all_but_first")) & (frame["source"] == "0")
        by_seed = frame[blocks].groupby("seed")["error"]
        # The population's deviation is what the paper's values of Figures 4 and 5 give: 5.40 for
        # ResNet50 on ImageNet, where 5.36 is printed.
        deviation = by_seed.std(ddof=0)
    else:
        # A baseline has no random choice to take an expectation over.
        attack = "pgd" if column.name == "pgd_eot" and not row.replaced else column.name
        rows = (frame["s"].fillna(0) == row.replaced) & (frame["attack"] == attack)
        by_seed = frame[rows].groupby("seed")["accuracy"]
        deviation = by_seed.std()
    means = by_seed.mean()
    return means.mean(), deviation.mean(), means.isna().sum()


def labels(table: Table, row: Row) -> dict:
    """Return what tells a row from others; only Table 2 has classifiers of one network."""
    if table.kind == "errors":
        return {"dataset": row.dataset, "architecture": row.architecture}
    return {
        "architecture": row.architecture.removeprefix("resnet"),
        "configuration": "stochastic" if row.replaced else "baseline",
        "r": DRAWS if row.replaced else None,
        "s": row.replaced or None,
    }


def collect(table: Table, results: Results) -> pd.DataFrame:
    """Return a table's numbers in percent; cells of networks that were not run are empty."""
    rows = []
    for row in table.rows:
        values = labels(table, row)
        for column in table.columns:
            found = (float("nan"), float("nan"), None)
            if results.ran([column.network(row)]):
                mean, deviation, absent = cell(column, row, results)
                found = (100 * mean, 100 * deviation, absent)
            values |= dict(zip(column.headings, found, strict=True))
        rows.append(values)
    counts = [name for name in rows[0] if name in ("r", "s") or name.endswith("did_not_train")]
    return pd.DataFrame(rows).astype(dict.fromkeys(counts, "Int64"))


def layout(table: Table, frame: pd.DataFrame, sources: Sources) -> pd.DataFrame:
    """Return the table as it is read: names as the paper writes them, "8.40 ± 0.12", "not run".

    The only data set of Table 2 stands in its title; a baseline has no r and s.
    """
    if table.kind == "errors":
        names = {n: data_label(n, sources.get(n, "")) for n in frame["dataset"].unique()}
        shown = {
            "data set": frame["dataset"].map(names),
            "network": frame["architecture"].map(printed),
        }
    else:
        shown = {"network": "ResNet" + frame["architecture"]}
        shown |= {"configuration": frame["configuration"]}
        shown |= {name: frame[name].astype("string").fillna("") for name in ("r", "s")}
    for column in table.columns:
        cells = frame[list(column.headings)].itertuples(index=False)
        shown[column.title] = [written(*numbers, decimals=table.decimals) for numbers in cells]
    return pd.DataFrame(shown)


def written(mean: float, deviation: float, absent: int, decimals: int) -> str:
    """Write one cell; `absent` seeds are not in the mean, as they did not train."""
    if pd.isna(absent):
        return NOT_RUN
    if pd.isna(mean):
        return DID_NOT_TRAIN
    shown = f"{mean:.{decimals}f}"
    if pd.notna(deviation):
        shown += f" ± {deviation:.{decimals}f}"
    seeds = "seed" if absent == 1 else "seeds"
    return f"{shown} ({absent} {seeds} {DID_NOT_TRAIN})" if absent else shown

"""The cells of a table: a mean and a standard deviation in percent, or why there are none."""

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import final_errors
from layer_robustness.figures.names import DID_NOT_TRAIN, Sources, data_label, printed
from layer_robustness.tables.registry import DRAWS, FILES, Column, Row, Table

# A mean, a deviation, and how many seeds diverged; these are left out of both.
Cell = tuple[float, float, int]


def test_error(training: pd.DataFrame) -> Cell:
    """Mean and sample standard deviation over seeds of the error after the last epoch."""
    errors = final_errors(training)
    return errors.mean(), errors.std(), errors.isna().sum()


def reinit_error(probe: pd.DataFrame, network: Network) -> Cell:
    """Mean and standard deviation of the error over blocks, one of them reset to checkpoint 0.

    The blocks are all but the first of each stage. Both numbers are of a seed, averaged over
    seeds. The deviation is the population's (divided by n), which is what the paper's values of
    Figures 4 and 5 give: 5.40 for ResNet50 on ImageNet, where 5.36 is printed.
    """
    blocks = probe["unit"].isin(members(network, "all_but_first")) & (probe["source"] == "0")
    by_seed = probe[blocks].groupby("seed")["error"]
    means = by_seed.mean()
    return means.mean(), by_seed.std(ddof=0).mean(), means.isna().sum()


def accuracy(adversarial: pd.DataFrame, replaced: int, attack: str) -> Cell:
    """Mean and sample standard deviation over repetitions, averaged over seeds.

    A baseline (`replaced` is 0) has no random choice to take an expectation over: its `pgd_eot` is
    `pgd`.
    """
    if not replaced and attack == "pgd_eot":
        attack = "pgd"
    rows = (adversarial["s"].fillna(0) == replaced) & (adversarial["attack"] == attack)
    by_seed = adversarial[rows].groupby("seed")["accuracy"]
    means = by_seed.mean()
    return means.mean(), by_seed.std().mean(), means.isna().sum()


def cell(column: Column, row: Row, results: Results) -> Cell:
    """Return a cell as fractions; a deviation over one number is NaN, and so is all of nothing."""
    network = column.network(row)
    frame = results.of(network, FILES[column.quantity])
    if column.quantity == "accuracy":
        return accuracy(frame, row.replaced, column.name)
    return reinit_error(frame, network) if column.quantity == "reinit_error" else test_error(frame)


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
        return "not run"
    if pd.isna(mean):
        return DID_NOT_TRAIN
    shown = f"{mean:.{decimals}f}"
    if pd.notna(deviation):
        shown += f" ± {deviation:.{decimals}f}"
    seeds = "seed" if absent == 1 else "seeds"
    return f"{shown} ({absent} {seeds} {DID_NOT_TRAIN})" if absent else shown

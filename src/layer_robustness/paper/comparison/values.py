"""Every value of the paper that was measured here too, beside ours."""

import itertools
from collections.abc import Iterable

import pandas as pd

from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import collect
from layer_robustness.figures.figure import Figure
from layer_robustness.paper.comparison.checkpoints import match
from layer_robustness.paper.setups import is_the_papers
from layer_robustness.tables import cells
from layer_robustness.tables.registry import DRAWS, Table

# What a value is of, besides the checkpoint.
OF = ["target", "dataset", "architecture", "variant", "joint_group", "layer", "quantity"]
COLUMNS = [
    *("target", "network", *OF[1:-1], "checkpoint", "our_checkpoint", "matched_by", "quantity"),
    *("paper", "resolution", "ours", "std", "std_draws", "seeds", "draws", "difference"),
    *("data", "width", "epochs", "papers_setup"),
]
MEASURED = ["ours", "std", "std_draws", "seeds", "draws"]


def compare(
    targets: Iterable[Figure | Table], results: Results, paper: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each value of the paper that has one of ours, in the paper's order.

    network
        Whose results ours are.
    checkpoint, our_checkpoint, matched_by
        As `checkpoints.match` says.
    paper, resolution, ours, std, std_draws, difference
        Errors as fractions; ours are empty where no seed trained. `std` is the sample standard
        deviation over seeds, `std_draws` the one over draws (mean over seeds), each empty where
        there is one seed or draw; the difference is ours less the paper's.
    data, width, epochs, papers_setup
        How ours were run, and whether that is the paper's way. If not, compare patterns only.

    Parameters
    ----------
    paper
        What `paper.load` returns.
    """
    parts = []
    for target in targets:
        ours = measured(target, results)
        theirs = paper[paper["target"].isin(ours["target"])]
        for panel, of_panel in theirs.groupby("target", sort=False):
            parts.append(beside(of_panel, ours[ours["target"] == panel]))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.concat(parts, ignore_index=True)
    rows["difference"] = rows["ours"] - rows["paper"]
    run = [results.setups[network] for network in rows["network"]]
    rows = rows.assign(**{key: [getattr(s, key) for s in run] for key in COLUMNS[-4:-1]})
    datasets = zip(run, rows["dataset"], strict=True)
    rows["papers_setup"] = [is_the_papers(setup, dataset) for setup, dataset in datasets]
    return rows[COLUMNS]


def beside(theirs: pd.DataFrame, ours: pd.DataFrame) -> pd.DataFrame:
    """Join the values of one panel or table, the paper's order kept."""
    partners = {"": ("", "")}
    if theirs["checkpoint"].any():
        partners = match(theirs["checkpoint"].unique(), ours["checkpoint"].unique())
    theirs = theirs[theirs["checkpoint"].isin(partners)].rename(columns={"value": "paper"})
    found = pd.DataFrame(
        [partners[checkpoint] for checkpoint in theirs["checkpoint"]],
        columns=["our_checkpoint", "matched_by"],
        index=theirs.index,
    )
    ours = ours.rename(columns={"checkpoint": "our_checkpoint"})
    return theirs.join(found).merge(ours, on=[*OF, "our_checkpoint"], validate="many_to_one")


def measured(target: Figure | Table, results: Results) -> pd.DataFrame:
    """Return what we measured for a figure or table, a row for each value, labelled as `OF`."""
    if isinstance(target, Table):
        return of_table(target, results)
    frame = collect(target, results).rename(columns={"figure": "target"})
    return of_bars(frame) if target.kind == "bars" else of_cells(frame)


def of_cells(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the cells of heatmaps."""
    names = [
        str(Network(dataset, f"{architecture}+{variant}".removesuffix("+")))
        for dataset, architecture, variant in zip(
            frame["dataset"], frame["architecture"], frame["variant"], strict=True
        )
    ]
    frame = frame.rename(columns={"value": "ours"}).assign(network=names)
    return frame[[*OF, "checkpoint", "network", *MEASURED]]


def of_bars(frame: pd.DataFrame) -> pd.DataFrame:
    """Return both ends of the bars of Figure 2 and the whiskers, each a value of its own.

    The whisker is also the deviation of the upper end.
    """
    rows = []
    for bar in frame.to_dict("records"):
        architecture = f"fcn{bar['hidden_layers']}x{bar['width']}"
        labels = {"target": bar["target"], "dataset": bar["dataset"], "seeds": bar["seeds"]}
        labels |= {"architecture": architecture, "network": f"{bar['dataset']}/{architecture}"}
        for quantity in ("reinit_error_mean", "full_error_mean", "reinit_error_std"):
            std = bar["reinit_error_std"] if quantity == "reinit_error_mean" else None
            rows.append(labels | {"quantity": quantity, "ours": bar[quantity], "std": std})
    return labelled(rows)


def of_table(table: Table, results: Results) -> pd.DataFrame:
    """Return the entries of a table, as fractions; `quantity` is the column.

    Where the paper prints a deviation, it is an entry too; any other is over seeds.
    """
    rows = []
    for row, column in itertools.product(table.rows, table.columns):
        network = column.network(row)
        if results.ran([network]):
            count = results.setups[str(network)].seeds
            mean, deviation, absent = cells.cell(column, row, results)
            labels = {"target": table.name, "network": str(network), "seeds": count - absent}
            labels |= {"dataset": row.dataset, "architecture": row.architecture}
            if table.kind == "adversarial":
                labels["variant"] = f"r{DRAWS}s{row.replaced}" if row.replaced else "baseline"
            if column.quantity == "test_error":
                rows.append(labels | {"quantity": column.name, "ours": mean, "std": deviation})
                continue
            for quantity, value in zip(column.headings, (mean, deviation), strict=False):
                rows.append(labels | {"quantity": quantity, "ours": value})
    return labelled(rows)


def labelled(rows: list[dict]) -> pd.DataFrame:
    """Make a frame of values that are no cells of a heatmap; what does not apply is empty."""
    empty = dict.fromkeys(("variant", "joint_group", "layer", "checkpoint"), "")
    columns = [*OF, "checkpoint", "network", *MEASURED]
    return pd.DataFrame([empty | row for row in rows], columns=columns)

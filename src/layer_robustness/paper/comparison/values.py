"""What is compared with the paper, and each of its values that was measured here too."""

import itertools
from collections.abc import Iterable, Sequence

import pandas as pd

from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import collect
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.setups import is_the_papers
from layer_robustness.paper.values import networks
from layer_robustness.tables import cells
from layer_robustness.tables.registry import DRAWS, TABLES, Table

IN_PAPER = [figure for figure in FIGURES.values() if figure.in_paper]
# Figures 17 and 18 are heatmaps' data again, and Figure 7 has no numbers.
COMPARED = [
    target
    for target in (*IN_PAPER, *TABLES.values())
    if target.kind in ("heatmap", "bars", "errors", "adversarial")
]
# Drawn three times: the paper's, ours and the difference.
HEATMAPS = {figure.name: figure for figure in IN_PAPER if figure.kind == "heatmap"}

# What a value is of, besides the checkpoint.
OF = ["target", "dataset", "architecture", "variant", "joint_group", "layer", "quantity"]
COLUMNS = [
    *("target", "network", *OF[1:-1], "checkpoint", "our_checkpoint", "matched_by", "quantity"),
    *("paper", "resolution", "ours", "std", "std_draws", "seeds", "did_not_train", "draws"),
    "difference",
    *("data", "width", "epochs", "papers_setup"),
]
MEASURED = ["network", "ours", "std", "std_draws", "seeds", "did_not_train", "draws"]
# `matched_by` of values that can be compared: they are of the same stage of training. Bars and
# tables have no checkpoints to match.
CORRESPONDING = ("same", "final epoch", "")


def compare(
    targets: Iterable[Figure | Table], results: Results, paper: pd.DataFrame
) -> pd.DataFrame:
    """Return a row for each value of the paper that has one of ours, in the paper's order.

    docs/comparison.md tells what the columns are. Ours is empty where no seed trained. `paper` is
    what `paper.values.load` returns.
    """
    parts = []
    for target in targets:
        ours = measured(target, results)
        theirs = paper[paper["target"].isin(ours["target"])].rename(columns={"value": "paper"})
        for panel, of_panel in theirs.groupby("target", sort=False):
            found = ours[ours["target"] == panel]
            partners = match(of_panel["checkpoint"].unique(), found["our_checkpoint"].unique())
            both = of_panel.merge(partners, on="checkpoint")
            parts.append(both.merge(found, on=[*OF, "our_checkpoint"], validate="many_to_one"))
    if not parts:
        return pd.DataFrame(columns=COLUMNS)
    rows = pd.concat(parts, ignore_index=True)
    rows["difference"] = rows["ours"] - rows["paper"]
    run = [results.setups[network] for network in rows["network"]]
    rows = rows.assign(**{key: [getattr(s, key) for s in run] for key in COLUMNS[-4:-1]})
    rows["papers_setup"] = list(map(is_the_papers, run, rows["dataset"]))
    return rows[COLUMNS]


def match(paper: Sequence[str], ours: Sequence[str]) -> pd.DataFrame:
    """Return our checkpoint and the reason, for each checkpoint of the paper that has one of ours.

    The reason is `same` where both are `rerand` or the same epoch, `final epoch` where both are
    the last one and differ, and `position` where two lists are equally long and neither of the two
    epochs is in the other list.

    Both sides are `rerand` and epochs, ascending; the last is the trained network. Of bars and
    tables, which have no checkpoints, they are "" alone.
    """
    last = "same" if paper[-1] == ours[-1] else "final epoch"
    found = {source: (source, "same") for source in paper[:-1] if source in ours[:-1]}
    if len(paper) == len(ours):
        for theirs, own in zip(paper[:-1], ours[:-1], strict=True):
            if theirs not in found and own not in found:
                found[theirs] = (own, "position")
    found[paper[-1]] = (ours[-1], last if ours[-1] else "")
    rows = [(theirs, *partner) for theirs, partner in found.items()]
    return pd.DataFrame(rows, columns=["checkpoint", "our_checkpoint", "matched_by"])


def measured(target: Figure | Table, results: Results) -> pd.DataFrame:
    """Return what we measured for a figure or table, a row for each value; what does not apply to
    one is empty.
    """
    if isinstance(target, Table):
        frame = of_table(target, results)
    else:
        names = {"figure": "target", "checkpoint": "our_checkpoint", "value": "ours"}
        frame = collect(target, results).rename(columns=names)
        frame = of_bars(frame) if target.kind == "bars" else frame.assign(network=networks(frame))
    labels = [*OF, "our_checkpoint"]
    frame = frame.reindex(columns=[*labels, *MEASURED])
    return frame.astype(dict.fromkeys(labels, object)).fillna(dict.fromkeys(labels, ""))


def of_bars(bars: pd.DataFrame) -> pd.DataFrame:
    """Return both ends of the bars of Figure 2 and the whiskers, each a value of its own.

    The whisker is also the deviation of the upper end.
    """
    shape = bars[["hidden_layers", "width"]].astype(str)
    architecture = "fcn" + shape["hidden_layers"] + "x" + shape["width"]
    bars = bars.assign(architecture=architecture, network=bars["dataset"] + "/" + architecture)
    bars["std"] = bars["reinit_error_std"]
    labels = ["target", "dataset", "architecture", "network", "seeds", "did_not_train", "std"]
    ends = ["reinit_error_mean", "full_error_mean", "reinit_error_std"]
    rows = bars.melt(labels, ends, "quantity", "ours")
    return rows.assign(std=rows["std"].where(rows["quantity"] == "reinit_error_mean"))


def of_table(table: Table, results: Results) -> pd.DataFrame:
    """Return the entries of a table, as fractions; `quantity` is the column.

    Where the paper prints a deviation, it is an entry too; any other is over seeds.
    """
    rows = []
    for row, column in itertools.product(table.rows, table.columns):
        network = column.network(row)
        if not results.ran([network]):
            continue
        mean, deviation, absent = cells.cell(column, row, results)
        labels = {"target": table.name, "dataset": row.dataset, "architecture": row.architecture}
        labels |= {"network": str(network), "seeds": results.setups[str(network)].seeds - absent}
        labels |= {"did_not_train": absent}
        if table.kind == "adversarial":
            labels["variant"] = f"r{DRAWS}s{row.replaced}" if row.replaced else "baseline"
        if column.quantity == "test_error":
            rows.append(labels | {"quantity": column.name, "ours": mean, "std": deviation})
        else:
            mean_name, deviation_name, _ = column.headings
            rows.append(labels | {"quantity": mean_name, "ours": mean})
            rows.append(labels | {"quantity": deviation_name, "ours": deviation})
    return pd.DataFrame(rows, columns=[*OF, *MEASURED])

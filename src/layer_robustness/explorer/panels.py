"""What the explorer shows of each panel of a heatmap: our cells and the paper's, joined."""

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import collect
from layer_robustness.figures.figure import Figure, Panel
from layer_robustness.figures.names import (
    DATASETS,
    DID_NOT_TRAIN,
    QUANTITIES,
    Sources,
    data_label,
    not_run,
    printed,
)
from layer_robustness.paper.comparison.checkpoints import CORRESPONDING
from layer_robustness.paper.comparison.targets import HEATMAPS
from layer_robustness.paper.comparison.values import compare

# Of a cell; what was not measured, is not in the paper, or cannot be compared is empty.
CELL = [
    *("layer", "our_checkpoint", "ours", "std", "seeds", "std_draws", "draws"),
    *("checkpoint", "paper", "resolution", "matched_by", "difference"),
]


def panels(results: Results, values: pd.DataFrame) -> list[dict]:
    """Return all panels in the order of the figures, of builtin types.

    Parameters
    ----------
    values
        The paper's, as `paper.values.load` returns them.
    """
    both = compare(HEATMAPS.values(), results, values)
    found = []
    for figure in HEATMAPS.values():
        ours = collect(figure, results)
        for panel in figure.panels:
            target = f"{figure.number}{panel.letter}"
            own = ours[ours["figure"] == target]
            pairs = both[both["target"] == target]
            found.append(
                describe(figure, panel, results.sources())
                | {"cells": join(own, pairs, values[values["target"] == target])}
                | {"absent": absent(panel, own["value"])}
                # Whether levels can be compared; nothing is known of what was not run.
                | {"papers_setup": None if pairs.empty else bool(pairs["papers_setup"].iloc[0])}
            )
    return found


def describe(figure: Figure, panel: Panel, sources: Sources) -> dict:
    """Return what a panel shows, in the paper's words; `data` is what ours were trained on."""
    (network,) = panel.networks
    return {
        "name": f"{figure.number}{panel.letter}",
        "figure": figure.number,
        "title": panel.title.replace("\n", ", "),
        "figure_title": figure.title,
        "dataset": DATASETS[network.dataset],
        "data": data_label(network.dataset, sources.get(network.dataset, "")),
        "model": printed(network.model),
        "network": str(network),
        "quantity": QUANTITIES[panel.quantity],
        "joint": list(members(network, panel.group)) if panel.group else [],
        "layers": list(panel.layers),
        "across": figure.transposed,
    }


def absent(panel: Panel, values: pd.Series) -> str:
    """Say why there are no values of ours, where there are none."""
    return f"was {not_run(panel.networks)}" if values.empty else DID_NOT_TRAIN


def join(ours: pd.DataFrame, both: pd.DataFrame, theirs: pd.DataFrame) -> list[list]:
    """Return the cells of a panel as rows of `CELL`: those of both, of us alone, of the paper."""
    own = ours.rename(columns={"checkpoint": "our_checkpoint", "value": "ours"})
    own = own[["layer", "our_checkpoint", "ours", "std", "seeds", "std_draws", "draws"]]
    pairs = both[["layer", "our_checkpoint", "checkpoint", "matched_by", "difference"]]
    comparable = pairs["matched_by"].isin(CORRESPONDING)
    pairs = pairs.assign(difference=pairs["difference"].where(comparable))
    published = theirs.rename(columns={"value": "paper"})
    published = published[["layer", "checkpoint", "paper", "resolution"]]
    cells = own.merge(pairs, how="left", on=["layer", "our_checkpoint"])
    cells = cells.merge(published, how="outer", on=["layer", "checkpoint"])[CELL]
    return without_nan(cells).to_numpy().tolist()


def without_nan(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of builtin types in which what is missing is None."""
    return frame.astype(object).where(frame.notna(), None)

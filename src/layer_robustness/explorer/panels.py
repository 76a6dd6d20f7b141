"""What the explorer shows of each panel of a heatmap: our cells and the paper's, joined."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from layer_robustness.experiments.groups import members
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
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.checkpoints import CORRESPONDING
from layer_robustness.paper.comparison.targets import DRAWN
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import frames

HEATMAPS = {name: FIGURES[name] for name in DRAWN}

# Of a cell; what was not measured, is not in the paper, or cannot be compared is empty.
CELL = [
    *("layer", "our_checkpoint", "ours", "std", "seeds", "std_draws", "draws"),
    *("checkpoint", "paper", "resolution", "matched_by", "difference"),
]
# Read of a figure's CSV, and of comparison.csv.
OURS: dict[str, type] = {
    **dict.fromkeys(("figure", "layer", "checkpoint"), str),
    **dict.fromkeys(("value", "std", "seeds", "std_draws", "draws"), float),
}
BOTH: dict[str, type] = {
    **dict.fromkeys(("target", "layer", "checkpoint", "our_checkpoint", "matched_by"), str),
    **dict.fromkeys(("ours", "difference"), float),
    "papers_setup": bool,
}


def panels(figures: Mapping[str, Path], comparison: Path, paper_values: Path) -> list[dict]:
    """Return all panels in the order of the figures, of builtin types.

    Parameters
    ----------
    figures
        The CSV of each figure, by its name.
    comparison
        Where comparison.csv is.
    paper_values
        Folder of the paper's values.

    Raises
    ------
    InputError
        If a figure's CSV and comparison.csv are not of the same results, or lack cells.
    """
    both = frames.read(comparison, BOTH)
    theirs = paper.heatmaps(paper_values)
    sources = both.drop_duplicates("dataset").set_index("dataset")["data"].to_dict()
    found = []
    for name, figure in HEATMAPS.items():
        ours = frames.read(figures[name], OURS)
        for panel in figure.panels:
            target = f"{figure.number}{panel.letter}"
            own = ours[ours["figure"] == target]
            pairs = both[both["target"] == target]
            if not agree(own, pairs, panel.layers):
                raise InputError(
                    f"{figures[name]} and {comparison} do not have the same cells of panel "
                    f"{target}: delete both and run again"
                )
            cells = join(own, pairs, theirs[theirs["target"] == target])
            setup = pairs.head(1).to_dict("records")
            found.append(
                describe(figure, panel, sources)
                | {"cells": cells, "absent": absent(panel, own["value"])}
                | compared(setup)
            )
    return found


def agree(own: pd.DataFrame, pairs: pd.DataFrame, layers: Sequence[str]) -> bool:
    """Whether a panel has all layers at every checkpoint, and the same numbers in both files."""
    if own.empty or pairs.empty:
        return own.empty and pairs.empty
    compared = own[own["checkpoint"].isin(pairs["our_checkpoint"])]
    values = compared.set_index(["layer", "checkpoint"])["value"].dropna()
    others = pairs.set_index(["layer", "our_checkpoint"])["ours"].dropna()
    whole = own.groupby("checkpoint")["layer"].agg(set).eq(set(layers)).all()
    return bool(whole) and values.to_dict() == others.to_dict()


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
        "architecture": printed(network.architecture),
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


def compared(setup: list[dict]) -> dict:
    """Return whether our levels can be compared with the paper's; nothing is known if not run."""
    return {"papers_setup": bool(setup[0]["papers_setup"]) if setup else None}


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

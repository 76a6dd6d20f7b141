"""What the explorer shows: our cells of each panel of a heatmap, the paper's, training curves."""

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.results import Results
from layer_robustness.figures.collect import collect, final_errors
from layer_robustness.figures.names import (
    DATASETS,
    DID_NOT_TRAIN,
    DISTANCES,
    QUANTITIES,
    data_label,
    did_not_train,
    left_out,
    not_run,
    printed,
)
from layer_robustness.paper.comparison.values import CORRESPONDING, HEATMAPS, compare

# Of a cell; what was not measured, is not in the paper, or cannot be compared is empty.
CELL = [
    *("layer", "our_checkpoint", "ours", "std", "seeds", "std_draws", "draws"),
    *("checkpoint", "paper", "resolution", "matched_by", "difference"),
]

CURVES = ("train_loss", "train_error", "test_error")


def panels(results: Results, values: pd.DataFrame) -> list[dict]:
    """Return all panels in the order of the figures, of builtin types.

    Names are the paper's words; `data` is what ours were trained on; `values` are the paper's.
    """
    both = compare(HEATMAPS.values(), results, values)
    sources = results.sources()
    found = []
    for figure in HEATMAPS.values():
        ours = collect(figure, results)
        for panel in figure.panels:
            (network,) = panel.networks
            name = f"{figure.number}{panel.letter}"
            own, pairs = ours[ours["figure"] == name], both[both["target"] == name]
            found.append(
                {
                    "name": name,
                    "figure": figure.number,
                    "title": panel.title.replace("\n", ", "),
                    "figure_title": figure.title,
                    "dataset": DATASETS[network.dataset],
                    "data": data_label(network.dataset, sources.get(network.dataset, "")),
                    "model": printed(network.model),
                    "network": str(network),
                    "quantity": QUANTITIES[panel.quantity],
                    "meaning": "" if panel.quantity == "test_error" else DISTANCES,
                    "joint": list(members(network, panel.group)) if panel.group else [],
                    "layers": list(panel.layers),
                    "across": figure.transposed,
                    "cells": join(own, pairs, values[values["target"] == name]),
                    "left_out": left_out(own),
                    "absent": f"was {not_run(panel.networks)}" if own.empty else DID_NOT_TRAIN,
                    # Whether levels can be compared; nothing is known of what was not run.
                    "papers_setup": None if pairs.empty else bool(pairs["papers_setup"].iloc[0]),
                }
            )
    return found


def join(ours: pd.DataFrame, both: pd.DataFrame, theirs: pd.DataFrame) -> list[list]:
    """Return the cells of a panel as rows of `CELL`: those of both, of us alone, of the paper."""
    ours = ours.rename(columns={"checkpoint": "our_checkpoint", "value": "ours"})
    theirs = theirs.rename(columns={"value": "paper"})
    comparable = both["matched_by"].isin(CORRESPONDING)
    both = both.assign(difference=both["difference"].where(comparable))
    cells = ours[CELL[:7]].merge(
        both[["layer", "our_checkpoint", "checkpoint", "matched_by", "difference"]],
        how="left",
        on=["layer", "our_checkpoint"],
    )
    cells = cells.merge(
        theirs[["layer", "checkpoint", "paper", "resolution"]],
        how="outer",
        on=["layer", "checkpoint"],
    )
    return without_nan(cells[CELL]).to_numpy().tolist()


def without_nan(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame of builtin types in which what is missing is None."""
    return frame.astype(object).where(frame.notna(), None)


def training(histories: pd.DataFrame | None) -> dict[str, dict[str, list]]:
    """Return the curves of each network, of builtin types: `epoch`, and of each curve by epoch the
    mean over seeds (`test_error`) and the sample standard deviation (`test_error_std`).

    Seeds that diverged are left out, and `left_out` says so; if all did, the lists are empty.
    Histories are the rows of training.csv of all networks, if any was trained.
    """
    found = {}
    if histories is not None:
        for name, history in histories.groupby("network", sort=False):
            trained = final_errors(history).notna()
            kept = history[history["seed"].map(trained)]
            by_epoch = kept.groupby("epoch")[list(CURVES)]
            curves = by_epoch.mean().join(by_epoch.std().add_suffix("_std")).reset_index()
            seeds, absent = trained.sum(), (~trained).sum()
            told = did_not_train(absent, seeds) if absent else ""
            found[str(name)] = without_nan(curves).to_dict("list") | {"left_out": told}
    return found

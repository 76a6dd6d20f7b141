"""The heatmap of a network: units as rows, sources as columns, as in the paper's figures."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.experiments.sources import INTERPOLATE
from layer_robustness.figures import heatmap, style
from layer_robustness.figures.names import DID_NOT_TRAIN

AROUND, COLUMN = 3.0, 0.34  # inches: names of units and the colour bar, and a source
LABELS = {
    "error": "Test error",
    "loss": "Cross entropy",
    "agreement": "Agreement with the trained network",
    "kl": "KL divergence from the trained network",
    "cosine": "Cosine to the trained network",
}
CONTROLS = ("shuffle", "rescaled", "zero")


def drawn(cells: pd.DataFrame, measure: str, trained: float) -> Drawing:
    """Draw a measure: states, controls and the line beside each other, all on one colour scale.

    Cells are rows of unit, source and value. The colours begin or end at what the trained network
    has; if that is NaN, it did not train.
    """
    grid = cells.pivot(index="unit", columns="source", values="value")
    grid = grid.loc[cells["unit"].unique()]
    groups = grouped(list(cells["source"].unique()))
    height = heatmap.AROUND + max(heatmap.ROWS, len(grid)) * heatmap.ROW
    if np.isnan(trained):
        drawing, (axes,) = style.panels([1], height, [1])
        style.say(axes, DID_NOT_TRAIN)
        return drawing
    drawing, axes = style.panels([len(groups)], height, [len(group) for group in groups.values()])
    drawing.set_figwidth(min(style.WIDTH, AROUND + COLUMN * grid.shape[1]))
    values = np.append(grid.to_numpy(), trained)
    norm = Normalize(np.nanmin(values), np.nanmax(values))
    for number, (own, (title, sources)) in enumerate(zip(axes, groups.items(), strict=True)):
        labels = [source.removeprefix(INTERPOLATE) for source in sources]
        # Only the first has the names of units.
        style.mesh(own, grid[sources], norm, xticklabels=labels, yticklabels=not number)
        style.slanted(own)
        if len(groups) > 1:
            own.set_title(title)
    label = f"{LABELS[measure]} (trained: {trained:.3g})"
    where = {"pad": 0.02, "fraction": 0.05, "aspect": 20}
    bar = style.colour_bar(axes[-1].collections[0], axes, label, **where)
    bar.outline.set_visible(False)
    return drawing


def grouped(sources: list[str]) -> dict[str, list[str]]:
    """Part sources by what they are."""
    groups = {
        "fresh or earlier": [
            s for s in sources if s not in CONTROLS and not s.startswith(INTERPOLATE)
        ],
        "controls": [s for s in sources if s in CONTROLS],
        "on the line to trained": [s for s in sources if s.startswith(INTERPOLATE)],
    }
    return {title: group for title, group in groups.items() if group}

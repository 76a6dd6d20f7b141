"""The heatmap of a network: units as rows, sources as columns, as in the paper's figures."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.figure import Figure, Panel

AROUND, COLUMN = 2.5, 0.5  # inches: names of units and the colour bar, and a source
LABELS = {
    "error": "test error",
    "loss": "cross entropy",
    "agreement": "agreement with the trained network",
    "kl": "KL divergence from the trained network",
    "cosine": "cosine to the trained network",
}
PANEL = Panel("a")
FIGURE = Figure(0, "heatmap", "", (PANEL,), (1,), "", "")


def draw(rows: pd.DataFrame, measure: str, trained: float, path: Path) -> None:
    """Write `path`.pdf and .png of a measure, mean over draws.

    The colours begin or end at what the trained network has.
    """
    means = rows.groupby(["unit", "source"], sort=False)[measure].mean()
    cells = means.to_frame("value").reset_index(names=["layer", "checkpoint"])
    units, sources = (len(cells[column].unique()) for column in ("layer", "checkpoint"))
    height = heatmap.AROUND + max(heatmap.ROWS, units) * heatmap.ROW
    drawing, (axes,) = style.panels([1], height, [1])
    drawing.set_figwidth(min(style.WIDTH, AROUND + COLUMN * sources))
    values = np.append(cells["value"].to_numpy(float), trained)
    values = values[np.isfinite(values)]
    norm = Normalize(values.min(), values.max())
    heatmap.draw_panel(axes, FIGURE, PANEL, cells, norm, LABELS[measure])
    axes.set_xlabel("source")
    style.save(drawing, path, "")

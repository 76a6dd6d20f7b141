"""The heatmap of a network: units as rows, sources as columns, as in the paper's figures."""

from pathlib import Path

import pandas as pd
from matplotlib.colors import Normalize

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.figure import Figure, Panel

LABELS = {
    "error": "test error",
    "loss": "cross entropy",
    "agreement": "agreement with the trained network",
    "kl": "KL divergence from the trained network",
    "cosine": "cosine to the trained network",
}
PANEL = Panel("a")
FIGURE = Figure(0, "heatmap", "", (PANEL,), (1,), "", "")


def draw(rows: pd.DataFrame, measure: str, path: Path) -> None:
    """Write `path`.pdf and .png of a measure, mean over draws."""
    cells = rows.groupby(["unit", "source"], sort=False, as_index=False)[measure].mean()
    cells.columns = ["layer", "checkpoint", "value"]
    units, sources = cells["layer"].nunique(), cells["checkpoint"].nunique()
    height = heatmap.AROUND + max(heatmap.ROWS, units) * heatmap.ROW
    drawing, (axes,) = style.panels([1], height, [1])
    drawing.set_figwidth(min(style.WIDTH, 2.5 + 0.5 * sources))
    norm = Normalize(cells["value"].min(), cells["value"].max())
    heatmap.draw_panel(axes, FIGURE, PANEL, cells, norm, LABELS[measure])
    axes.set_xlabel("source")
    style.save(drawing, path, "")

"""The paper's heatmaps beside ours: both on one colour scale, and their difference.

Panels whose layers run along the horizontal axis have the three above each other, the others side
by side. Only sources that both have are drawn.
"""

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.figure import Figure, Panel

SIDES = {"paper": "paper", "ours": "ours", "difference": "ours - paper"}
SOURCES = 5  # of the panels that the paper shows transposed


def draw(figure: Figure, rows: pd.DataFrame) -> Drawing:
    """Draw all panels of a figure from what `values.compare` returns for it."""
    layers = [len(panel.layers) for panel in figure.panels]
    if figure.transposed:
        order = stacked(figure)
        height = heatmap.AROUND_TRANSPOSED + SOURCES * heatmap.ROW
        counts = [count for count in figure.rows for _ in SIDES]
        widths = [len(panel.layers) for panel, _ in order]
    else:
        order = [(panel, side) for panel in figure.panels for side in SIDES]
        height = heatmap.AROUND + max(7, *layers) * heatmap.ROW
        counts, widths = [len(SIDES)] * len(layers), [1] * len(order)
    drawing, axes = style.panels(counts, height, widths)
    for (panel, side), panel_axes in zip(order, axes, strict=True):
        of_panel = rows[rows["target"] == f"{figure.number}{panel.letter}"]
        # Three panels side by side have room for two short lines.
        colon = ": " if figure.transposed or "\n" in panel.title else "\n"
        panel_axes.set_title(f"({panel.letter}) {panel.title}{colon}{SIDES[side]}")
        if not style.is_empty(panel_axes, panel, of_panel[side]):
            draw_side(panel_axes, figure, panel, of_panel, side)
    return drawing


def stacked(figure: Figure) -> list[tuple[Panel, str]]:
    """Return panels and sides from the top: the panels of a row for each side in turn."""
    panels = iter(figure.panels)
    rows = [list(itertools.islice(panels, count)) for count in figure.rows]
    return [(panel, side) for row in rows for side in SIDES for panel in row]


def draw_side(axes: Axes, figure: Figure, panel: Panel, rows: pd.DataFrame, side: str) -> None:
    """Draw the paper's heatmap, ours, or the difference."""
    theirs, ours = rows["checkpoint"], rows["our_checkpoint"]
    if side == "difference":
        both = theirs.where(theirs == ours, ours + " / " + theirs)
        largest = max(rows["difference"].abs().max(), rows["resolution"].max())
        colours = {"cmap": "vlag", "vmin": -largest, "vmax": largest}
    else:
        both = theirs if side == "paper" else ours
        values = rows[["paper", "ours"]]
        colours = {"vmin": values.min(axis=None), "vmax": values.max(axis=None)}
    cells = pd.DataFrame({"layer": rows["layer"], "checkpoint": both, "value": rows[side]})
    heatmap.draw_panel(axes, figure, panel, cells, **colours)

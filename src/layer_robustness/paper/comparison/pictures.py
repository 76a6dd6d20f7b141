"""The paper's heatmaps beside ours: both on one colour scale, and their difference.

Panels whose layers run along the horizontal axis have the three above each other, the others side
by side. Only sources that both have are drawn, and a difference only between epochs that
correspond.
"""

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import colours, heatmap, names, style
from layer_robustness.figures.figure import Figure, Panel
from layer_robustness.figures.style import ErrorScale
from layer_robustness.paper.comparison.values import CORRESPONDING

SIDES = {"paper": "paper", "ours": "ours", "difference": "ours - paper"}
SOURCES = 5  # of the panels that the paper shows transposed
NOTE = "hatched: the two epochs are different stages of training, whose values are not compared"


def draw(figure: Figure, rows: pd.DataFrame, *, error_scale: ErrorScale = "panel") -> Drawing:
    """Draw all panels of a figure from what `values.compare` returns for it."""
    panels = iter(figure.panels)
    if figure.transposed:
        of_rows = [list(itertools.islice(panels, count)) for count in figure.rows]
        grid = [[(panel, side) for panel in row] for row in of_rows for side in SIDES]
        height = heatmap.AROUND_TRANSPOSED + SOURCES * heatmap.ROW
    else:
        grid = [[(panel, side) for side in SIDES] for panel in panels]
        layers = max(len(panel.layers) for panel in figure.panels)
        height = heatmap.AROUND + max(heatmap.ROWS, layers) * heatmap.ROW
    order = list(itertools.chain(*grid))
    widths = [len(panel.layers) if figure.transposed else 1 for panel, _ in order]
    drawing, axes = style.panels(list(map(len, grid)), height, widths)
    for (panel, side), panel_axes in zip(order, axes, strict=True):
        of_panel = rows[rows["target"] == panel.name]
        panel_axes.set_title(title(figure, panel, side, of_panel))
        if not style.is_empty(panel_axes, panel, of_panel[side]):
            draw_side(panel_axes, figure, panel, of_panel, side, error_scale)
    if not rows["matched_by"].isin(CORRESPONDING).all():
        style.add_note(drawing, NOTE)
    return drawing


def title(figure: Figure, panel: Panel, side: str, rows: pd.DataFrame) -> str:
    """Name panel and side; of ours the images that stand in for the paper's, and seeds left out."""
    # Three panels side by side have room for two short lines.
    colon = ": " if figure.transposed or "\n" in panel.title else "\n"
    found = f"({panel.letter}) {panel.title}{colon}{SIDES[side]}"
    if side == "ours" and not rows.empty:
        images = names.stand_in(*rows.iloc[0][["dataset", "data"]])
        found = f"{found} ({images})" if images else found
        return "\n".join([found, *names.left_out(rows)])
    return found


def draw_side(
    axes: Axes,
    figure: Figure,
    panel: Panel,
    rows: pd.DataFrame,
    side: str,
    error_scale: ErrorScale,
) -> None:
    """Draw the paper's heatmap, ours, or the difference."""
    theirs, ours = rows["checkpoint"], rows["our_checkpoint"]
    cells = rows[["layer"]].assign(checkpoint=theirs if side == "paper" else ours, value=rows[side])
    if side != "difference":
        norm = heatmap.scale(panel, rows[["paper", "ours"]].to_numpy(), error_scale)
        heatmap.draw_panel(axes, figure, panel, cells, norm)
        return
    cells["checkpoint"] = theirs.where(theirs == ours, ours + " / " + theirs)
    cells["value"] = cells["value"].where(rows["matched_by"].isin(CORRESPONDING))
    largest = max(cells["value"].abs().max(), rows["resolution"].max())
    norm = Normalize(-largest, largest)
    heatmap.draw_panel(axes, figure, panel, cells, norm, "Difference", colours.DIFFERENCES)
    # Cells without a colour show what is behind them.
    axes.patch.set(facecolor=colours.NOT_COMPARED, edgecolor="0.7", hatch="/////", linewidth=0)

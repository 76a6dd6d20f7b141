"""Heatmaps: layers as rows (columns where transposed), sources as columns, a colour bar each."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.experiments.groups import members
from layer_robustness.figures import colours, style
from layer_robustness.figures.figure import Figure, Panel
from layer_robustness.figures.names import QUANTITIES, Sources
from layer_robustness.figures.style import ErrorScale

ROW = 0.145  # inches: a layer, or a source where transposed
ROWS = 8  # at least: beside fewer a colour bar's label has no room
AROUND = 0.75  # inches: title and sources around the layers' rows
AROUND_TRANSPOSED = 1.1  # inches: title and names of layers, upright
# Distances of which nearly all are within this part of a colour bar could not be told apart.
NEARLY_ALL = 0.9
CROWDED = 0.2


def draw(figure: Figure, frame: pd.DataFrame, sources: Sources, error_scale: ErrorScale) -> Drawing:
    """Draw the cells of `collect.collect`."""
    layers = [len(panel.layers) for panel in figure.panels]
    if figure.transposed:
        checkpoints = max([5, *frame.groupby("figure")["checkpoint"].nunique()])
        height, widths = AROUND_TRANSPOSED + checkpoints * ROW, layers
    else:
        height, widths = AROUND + max(ROWS, *layers) * ROW, [1] * len(layers)
    drawing, axes = style.panels(figure.rows, height, widths)
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        cells = frame[frame["figure"] == panel.name]
        style.title(panel_axes, panel, cells, sources)
        if not style.is_empty(panel_axes, panel, cells["value"]):
            norm = scale(panel, cells["value"].to_numpy(), error_scale)
            draw_panel(panel_axes, figure, panel, cells, norm)
    style.head(drawing, figure, sources)
    return drawing


def scale(panel: Panel, values: np.ndarray, error_scale: ErrorScale) -> Normalize:
    """Return the colour scale of a panel's values: of distances a logarithmic one if few of them
    would leave a linear one to all others' dark end.

    There a distance of 0 has the colour of the smallest other.
    """
    low, high = np.nanmin(values), np.nanmax(values)
    if panel.quantity == "test_error":
        return Normalize(0, 1) if error_scale == "shared" else Normalize(low, high)
    positive = values[values > 0]
    if positive.size and np.quantile(positive, NEARLY_ALL) < CROWDED * high:
        return LogNorm(positive.min(), high, clip=True)
    return Normalize(low, high)


def draw_panel(
    axes: Axes,
    figure: Figure,
    panel: Panel,
    cells: pd.DataFrame,
    norm: Normalize,
    label: str = "",
    colour_map: str = colours.VALUES,
) -> None:
    """Draw one heatmap; its colour bar is labelled by the quantity if not otherwise."""
    label = label or QUANTITIES[panel.quantity]
    draw_cells(axes, cells, norm, label, colour_map, figure.transposed)
    mark_group(axes, figure, panel)


def draw_cells(
    axes: Axes,
    cells: pd.DataFrame,
    norm: Normalize,
    label: str,
    colour_map: str = colours.VALUES,
    transposed: bool = False,
    aspect: int = 20,
) -> None:
    """Draw cells, each with a layer, a checkpoint and a value, and a colour bar."""
    grid = cells.pivot(index="layer", columns="checkpoint", values="value")
    grid = grid.loc[cells["layer"].unique(), cells["checkpoint"].unique()]
    grid = grid.T if transposed else grid
    style.mesh(axes, grid, norm, colour_map)
    if transposed:
        axes.tick_params(axis="x", rotation=90, labelsize=style.LAYER_NAME, pad=1)
    else:
        axes.set_xlabel("checkpoint")
        style.slanted(axes)
    cell = 1 / grid.shape[1]  # of the heatmap's width
    where = {"pad": 0.35 * cell, "fraction": 0.6 * cell, "aspect": 10 if transposed else aspect}
    bar = style.colour_bar(axes.collections[0], axes, label, **where)
    bar.outline.set_linewidth(0)
    if isinstance(norm, LogNorm):
        bar.ax.yaxis.set_major_formatter("{x:g}")


def mark_group(axes: Axes, figure: Figure, panel: Panel) -> None:
    """Star the names of a joint group's members, in blue."""
    if not panel.group:
        return
    inside = members(panel.networks[0], panel.group)
    axis = axes.xaxis if figure.transposed else axes.yaxis
    labels = [label.get_text() for label in axis.get_ticklabels()]
    axis.set_ticklabels([f"*{name}" if name in inside else name for name in labels])
    for name, label in zip(labels, axis.get_ticklabels(), strict=True):
        label.set_color(colours.JOINT_GROUP if name in inside else "black")

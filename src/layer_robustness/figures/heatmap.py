"""Heatmaps: layers as rows (columns where transposed), sources as columns, a colour bar each."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.experiments.groups import members
from layer_robustness.figures import style
from layer_robustness.figures.figure import Figure, Panel

ROW = 0.145  # inches: a layer, or a source where transposed
AROUND = 0.75  # inches: title and sources around the layers' rows
AROUND_TRANSPOSED = 1.1  # inches: title and names of layers, upright
JOINT_BLUE = "#1f4fd8"


def draw(figure: Figure, frame: pd.DataFrame) -> Drawing:
    """Draw the cells of `collect.collect`."""
    layers = [len(panel.layers) for panel in figure.panels]
    if figure.transposed:
        sources = max([5, *frame.groupby("figure")["checkpoint"].nunique()])
        height, widths = AROUND_TRANSPOSED + sources * ROW, layers
    else:
        height, widths = AROUND + max(7, *layers) * ROW, [1] * len(layers)
    drawing, axes = style.panels(figure.rows, height, widths)
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        cells = frame[frame["figure"] == f"{figure.number}{panel.letter}"]
        style.title(panel_axes, panel, cells)
        if not style.is_empty(panel_axes, panel, cells["value"]):
            draw_panel(panel_axes, figure, panel, cells)
    return drawing


def draw_panel(
    axes: Axes, figure: Figure, panel: Panel, cells: pd.DataFrame, **colours: float | str
) -> None:
    """Draw one heatmap; `colours` may give its colour map and the ends of its scale."""
    grid = cells.pivot(index="layer", columns="checkpoint", values="value")
    grid = grid.loc[cells["layer"].unique(), cells["checkpoint"].unique()]
    grid = grid.T if figure.transposed else grid
    cell = 1 / grid.shape[1]  # of the heatmap's width
    with style.alone(axes):
        sns.heatmap(
            grid,
            ax=axes,
            **{"cmap": "rocket", **colours},
            cbar_kws={
                "pad": 0.35 * cell,
                "fraction": 0.6 * cell,
                "aspect": 10 if figure.transposed else 20,
            },
            linewidths=0.3,
            xticklabels=True,
            yticklabels=True,
        )
    axes.set(xlabel="" if figure.transposed else "checkpoint", ylabel="")
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", rotation=0)
    if figure.transposed:
        axes.tick_params(axis="x", rotation=90, labelsize=style.LAYER_NAME, pad=1)
    else:
        axes.tick_params(axis="x", rotation=45)
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.collections[0].colorbar.ax.tick_params(labelsize=6, length=2)
    mark_group(axes, figure, panel)


def mark_group(axes: Axes, figure: Figure, panel: Panel) -> None:
    """Star the names of a joint group's members, in blue."""
    if not panel.group:
        return
    inside = members(panel.networks[0], panel.group)
    axis = axes.xaxis if figure.transposed else axes.yaxis
    labels = [label.get_text() for label in axis.get_ticklabels()]
    axis.set_ticklabels([f"*{name}" if name in inside else name for name in labels])
    for name, label in zip(labels, axis.get_ticklabels(), strict=True):
        label.set_color(JOINT_BLUE if name in inside else "black")

"""Heatmaps: units as rows (columns where transposed), sources as columns, one colour bar each."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import style
from layer_robustness.figures.registry import Figure, Panel
from layer_robustness.groups import members

ROW_HEIGHT = 0.17  # inches
JOINT_BLUE = "#1f4fd8"


def draw(figure: Figure, frame: pd.DataFrame) -> Drawing:
    """Draw the cells of `collect.collect`."""
    rows = frame["layer"].nunique()
    height = 1.75 if figure.transposed else 0.75 + max(6, rows) * ROW_HEIGHT
    drawing, axes = style.panels(len(figure.panels), figure.across, height)
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        cells = frame[frame["figure"] == f"{figure.number}{panel.letter}"]
        panel_axes.set_title(f"({panel.letter}) {panel.title}")
        if cells.empty:
            style.not_run(panel_axes, panel.networks[0].dataset)
        else:
            draw_panel(panel_axes, figure, panel, cells)
    return drawing


def draw_panel(axes: Axes, figure: Figure, panel: Panel, cells: pd.DataFrame) -> None:
    """Draw one heatmap."""
    grid = cells.pivot(index="layer", columns="checkpoint", values="value")
    grid = grid.loc[cells["layer"].unique(), cells["checkpoint"].unique()]
    sns.heatmap(
        grid.T if figure.transposed else grid,
        ax=axes,
        cmap="rocket",
        cbar_kws={"pad": 0.03},
        linewidths=0.3,
        xticklabels=True,
        yticklabels=True,
    )
    axes.set(xlabel="" if figure.transposed else "checkpoint", ylabel="")
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", rotation=0)
    for label in axes.get_xticklabels():
        label.set(rotation=60 if figure.transposed else 45, ha="right", rotation_mode="anchor")
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

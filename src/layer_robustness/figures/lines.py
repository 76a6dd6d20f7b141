"""Figures 17 and 18: a line over the layers for each checkpoint."""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import style
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources
from layer_robustness.figures.style import ErrorScale

HEIGHT = 2.6  # inches


def draw(figure: Figure, frame: pd.DataFrame, sources: Sources, error_scale: ErrorScale) -> Drawing:
    """Draw the cells of `collect.collect` as lines; each row of panels has one legend."""
    drawing, axes = style.panels(figure.rows, HEIGHT, [1] * len(figure.panels))
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        cells = frame[frame["figure"] == panel.name]
        style.title(panel_axes, panel, cells, sources)
        if not style.is_empty(panel_axes, panel, cells["value"]):
            draw_panel(panel_axes, cells)
            if error_scale == "shared" and panel.quantity == "test_error":
                panel_axes.set_ylim(0, 1)
    style.head(drawing, figure, sources)
    for row in drawing.subfigs:
        drawn = row.axes[0].get_legend_handles_labels()
        if any(drawn):
            row.legend(*drawn, loc="outside lower center", ncols=len(drawn[0]), frameon=False)
    return drawing


def draw_panel(axes: Axes, cells: pd.DataFrame) -> None:
    """Draw the lines of one panel.

    A layer reset to the final epoch keeps its final values, so that the final epoch's line is,
    of the test error, the full model's.
    """
    rerand, *epochs, final = cells["checkpoint"].unique()
    names = {
        final: f"final ({final})",
        rerand: rerand,
        **{epoch: f"re-init to {epoch}" for epoch in epochs},
    }
    sns.lineplot(
        cells.assign(checkpoint=cells["checkpoint"].map(names)),
        x="layer",
        y="value",
        hue="checkpoint",
        hue_order=names.values(),
        style="checkpoint",
        style_order=names.values(),
        markers=True,
        dashes=False,
        markersize=4,
        markeredgewidth=0,
        linewidth=0.9,
        clip_on=False,  # a distance of 0 is on the axis
        in_layout=False,
        errorbar=None,
        legend="full",
        ax=axes,
    )
    axes.legend().remove()
    axes.set(xlabel="", ylabel="", ylim=(0, None))
    axes.tick_params(axis="x", rotation=90, labelsize=style.LAYER_NAME)
    sns.despine(ax=axes)

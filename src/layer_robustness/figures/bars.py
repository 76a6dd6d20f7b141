"""Figure 2: bars from the full model's error up to the error with one layer re-initialized."""

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import names, style
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources
from layer_robustness.figures.style import ErrorScale

HEIGHT = 2.8  # inches
BAR = 0.38  # of the distance between two widths
LEGEND = (
    "Lower end of a bar: the trained network. Upper end: one layer re-initialized to epoch 0, mean "
    "over all layers but the first.\nWhisker: standard deviation of the upper end over seeds."
)


def draw(figure: Figure, frame: pd.DataFrame, sources: Sources, error_scale: ErrorScale) -> Drawing:
    """Draw the bars of `collect.collect`."""
    drawing, axes = style.panels(figure.rows, HEIGHT, [1] * len(figure.panels))
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        bars = frame[frame["figure"] == panel.name]
        panel_axes.set_title(f"({panel.letter}) {names.labelled(panel.title, sources)}")
        if not style.is_empty(panel_axes, panel, bars["reinit_error_mean"]):
            draw_panel(panel_axes, bars)
            if error_scale == "shared":
                panel_axes.set_ylim(0, 1)
    style.head(drawing, figure, sources)
    drawing.subfigs[-1].supxlabel(LEGEND, fontsize=mpl.rcParams["legend.fontsize"])
    return drawing


def draw_panel(axes: Axes, bars: pd.DataFrame) -> None:
    """Draw one panel: a group of bars for each width, one bar for each depth."""
    widths = bars["width"].unique()
    for index, (depth, of_depth) in enumerate(bars.groupby("hidden_layers")):
        positions = np.arange(len(widths)) + (index - 0.5) * BAR
        axes.bar(
            positions,
            of_depth["reinit_error_mean"] - of_depth["full_error_mean"],
            BAR,
            bottom=of_depth["full_error_mean"],
            yerr=of_depth["reinit_error_std"],
            color=sns.color_palette("deep")[index],
            error_kw={"elinewidth": 0.8, "capsize": 2},
            label=f"{depth} hidden layers",
        )
        for position, bar in zip(positions, of_depth.to_dict("records"), strict=True):
            if bar["did_not_train"]:
                say_absent(axes, position, bar)
    if bars["did_not_train"].any():
        axes.margins(y=0.35)  # room for the words above a bar
    axes.set(xlabel="hidden units per layer", ylabel="test error", ylim=(0, None))
    axes.set_xticks(np.arange(len(widths)), widths)
    axes.legend(frameon=False)
    sns.despine(ax=axes)


def say_absent(axes: Axes, position: float, bar: dict) -> None:
    """Write above a bar, or in its place, how many seeds are not in it."""
    absent, seeds = bar["did_not_train"], bar["seeds"]
    top = bar["reinit_error_mean"] + np.nan_to_num(bar["reinit_error_std"]) if seeds else 0
    axes.text(
        position,
        top,
        f" {names.did_not_train(absent, seeds)}",
        fontsize=style.SMALL_PRINT,
        color="0.4",
        rotation=90,
        ha="center",
        va="bottom",
    )

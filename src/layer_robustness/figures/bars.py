"""Figure 2: bars from the full model's error up to the error with one layer re-initialized."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.experiments.names import Network
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
            draw_panel(panel_axes, bars, panel.networks)
            if error_scale == "shared":
                panel_axes.set_ylim(0, 1)
    style.head(drawing, figure, sources)
    drawing.subfigs[-1].supxlabel(LEGEND, fontsize=mpl.rcParams["legend.fontsize"])
    return drawing


def draw_panel(axes: Axes, bars: pd.DataFrame, networks: Sequence[Network]) -> None:
    """Draw one panel: a group of bars for each width, one bar for each depth.

    A network that was not run leaves a gap.
    """
    shapes = [network.fcn_shape for network in networks]
    depths = sorted({depth for depth, _ in shapes})
    widths = sorted({width for _, width in shapes})
    for index, depth in enumerate(depths):
        of_depth = bars[bars["hidden_layers"] == depth].set_index("width").reindex(widths)
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
            say_absent(axes, position, bar)
    if bars["did_not_train"].any():
        axes.margins(y=0.35)  # room for the words above a bar
    # Gaps count as bars, at the ends too.
    axes.update_datalim([(-BAR, 0), (len(widths) - 1 + BAR, 0)], updatey=False)
    axes.set(xlabel="hidden units per layer", ylabel="test error", ylim=(0, None))
    axes.set_xticks(np.arange(len(widths)), map(str, widths))
    axes.legend(frameon=False)
    sns.despine(ax=axes)


def say_absent(axes: Axes, position: float, bar: dict) -> None:
    """Write above a bar, or in its place, how many seeds are not in it or that it was not run."""
    absent, seeds = bar["did_not_train"], bar["seeds"]
    if absent == 0:
        return
    reason = names.NOT_RUN if np.isnan(seeds) else names.did_not_train(int(absent), int(seeds))
    axes.text(
        position,
        np.nansum([bar["reinit_error_mean"], bar["reinit_error_std"]]),
        f" {reason}",
        fontsize=style.SMALL_PRINT,
        color="0.4",
        rotation=90,
        ha="center",
        va="bottom",
    )

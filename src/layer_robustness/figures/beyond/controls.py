"""Figure B2: what each unit costs, reset to a fresh draw and to controls, beside each other."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import style
from layer_robustness.figures.beyond import panels
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import TOO_LITTLE, costs
from layer_robustness.networks.result import Result
from layer_robustness.paper.criticality import CRITICAL

AROUND = 0.7  # inches: title, axis and its label
# Label, marker and size of each source; the largest is drawn first, so that all can be seen.
SOURCES = {
    "zero": ("zeroed", "s", 30),
    "rerand": ("fresh", "o", 26),
    "rescaled": ("rescaled", "D", 12),
    "shuffle": ("shuffled", "X", 16),
}


def draw(figure: BeyondFigure, results: panels.Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw the costs of each entry as dots; return what is drawn too."""
    drawing, frame = panels.drawn(figure, results, AROUND, draw_entry)
    handles = {}
    for own in drawing.axes:
        handles |= dict(zip(*reversed(own.get_legend_handles_labels()), strict=True))
    drawing.subfigs[-1].legend(
        handles.values(), handles, loc="outside lower center", ncols=len(handles), frameon=False
    )
    return drawing, frame


def draw_entry(result: Result, axes: Axes) -> pd.DataFrame:
    """Draw one panel: a row for each unit, the first on top, a mark for each source."""
    found = costs(result, list(SOURCES))
    if found.empty or not result.is_trained:
        style.say(axes, f"not measured: {', '.join(SOURCES)}" if found.empty else TOO_LITTLE)
        return found.iloc[:0]
    units = list(found["unit"].unique())
    colours = dict(zip(SOURCES, sns.color_palette("deep"), strict=False))
    spans = found.groupby("unit", sort=False)["value"].agg(["min", "max"])
    axes.hlines(np.arange(len(units)), spans["min"], spans["max"], color="0.8", linewidth=0.8)
    for source, (name, marker, size) in SOURCES.items():
        own = found[found["source"] == source]
        places = [units.index(unit) for unit in own["unit"]]
        axes.scatter(
            own["value"],
            places,
            size,
            color=colours[source],
            marker=marker,
            label=name,
            linewidths=0,
            clip_on=False,
            zorder=3,
        )
    axes.axvline(CRITICAL, color="0.4", linewidth=0.8, linestyle="--")
    axes.set(xlabel="cost of a reset", ylim=(len(units) - 0.5, -0.5))
    axes.set_xlim(min(0, found["value"].min()), max(1, found["value"].max()))
    axes.set_yticks(range(len(units)), units)
    axes.tick_params(axis="y", length=0)
    sns.despine(ax=axes, left=True)
    return found

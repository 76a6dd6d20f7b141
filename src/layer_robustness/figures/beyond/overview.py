"""The overview: a row for each network, a cell for each unit, from first to last."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import colours, style
from layer_robustness.figures.beyond.panels import Results, together
from layer_robustness.figures.beyond.registry import BeyondFigure, label
from layer_robustness.figures.beyond.rows import TOO_LITTLE, costs
from layer_robustness.figures.names import DID_NOT_TRAIN
from layer_robustness.paper.criticality import CRITICAL

SOURCES = {"reinit": "re-initialized", "rerand": "re-randomized"}
ROW = 0.26  # inches
AROUND = 0.9
CELL = 0.86  # of a row's height


def draw(figure: BeyondFigure, results: Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw a panel for each source, side by side; return what is drawn too."""
    height = AROUND + ROW * max(3, len(figure.entries))
    drawing, axes = style.panels([len(SOURCES)], height, [1] * len(SOURCES))
    norm, drawn = Normalize(0, 1, clip=True), []
    for number, (own, (source, name)) in enumerate(zip(axes, SOURCES.items(), strict=True)):
        for row, entry in enumerate(figure.entries):
            found = costs(results[entry], [source])
            if found.empty or not results[entry].is_trained:
                reason = "not measured" if found.empty else TOO_LITTLE
                if results[entry].did_not_train:
                    reason = DID_NOT_TRAIN
                own.text(0.5, row, reason, ha="center", va="center", color="0.4", fontsize=7)
                continue
            draw_row(own, row, found["value"].to_numpy(), norm)
            drawn.append(found.assign(entry=entry))
        say_beside(own, -0.75, "critical")
        own.set_title(f"({'ab'[number]}) {name}")
        names = [label(entry) for entry in figure.entries] if not number else []
        own.set_yticks(range(len(names)), names)
        own.tick_params(axis="y", length=0)
        own.set(xlim=(0, 1), ylim=(len(figure.entries) - 0.5, -0.5))
        own.set_xlabel("relative depth")
        own.spines[:].set_visible(False)
    mappable = axes[-1].pcolormesh([[np.nan]], norm=norm, cmap=colours.VALUES)
    where = {"aspect": 15, "pad": 0.07, "fraction": 0.03}
    bar = style.colour_bar(mappable, axes, "cost of a reset", **where)
    bar.ax.axhline(CRITICAL, color="white", linewidth=0.8)
    return drawing, together(drawn)


def draw_row(axes: Axes, row: int, values: np.ndarray, norm: Normalize) -> None:
    """Draw the cells of one network, and beside them how many of its units are critical."""
    edges = np.linspace(0, 1, len(values) + 1)
    heights = row + CELL / 2 * np.array([-1, 1])
    axes.pcolormesh(
        edges, heights, values[None], norm=norm, cmap=colours.VALUES, edgecolor="w", linewidth=0.4
    )
    critical = int((values > CRITICAL).sum())
    say_beside(axes, row, f"{critical} of {len(values)}")


def say_beside(axes: Axes, row: float, text: str) -> None:
    """Write right of a row."""
    axes.annotate(
        text,
        (1, row),
        (4, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        annotation_clip=False,
    )

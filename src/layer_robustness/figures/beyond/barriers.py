"""Figure B3: the error on the line from a unit's initial to its trained weights; its barrier."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import style
from layer_robustness.figures.beyond import panels
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import barriers, on_line
from layer_robustness.networks.result import Result

AROUND = 0.85  # inches: title, places and what they are
WIDTHS = (1.0, 0.4)
LABELLED = (0, 0.5, 1)
BARRIER = "barrier"


def draw(figure: BeyondFigure, results: panels.Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw lines and barriers of each entry, all barriers on one scale; return what is drawn too.

    A barrier's `source` is `barrier`, the others' is the place on the line.
    """
    drawing, frame = panels.drawn(figure, results, AROUND, draw_entry, WIDTHS)
    if not frame.empty:
        highest = frame["value"][frame["quantity"] == "barrier"].max()
        for axes in drawing.axes:
            if axes.get_xlabel() == BARRIER:
                axes.set_xlim(0, 1.05 * highest or 1)
    return drawing, frame


def draw_entry(result: Result, left: Axes, right: Axes) -> pd.DataFrame:
    """Draw the lines of one entry, and beside them the barriers."""
    errors = on_line(result, "error")
    if errors.empty:
        right.set_axis_off()
        style.say(left, "not measured: reinit, interpolate:a")
        return errors
    heights = barriers(on_line(result, "loss"))
    draw_line(left, errors)
    draw_barriers(right, heights)
    where = {"pad": 0.02, "aspect": 20}
    bar = style.colour_bar(left.collections[0], [left, right], "Test error", **where)
    bar.outline.set_visible(False)
    rows = errors.melt(ignore_index=False, var_name="source").reset_index()
    bars = heights.rename("value").reset_index()
    return pd.concat([rows.assign(quantity="test_error"), bars.assign(quantity=BARRIER)])


def draw_line(axes: Axes, errors: pd.DataFrame) -> None:
    """Draw the errors: units as rows, places on the line as columns."""
    places = [f"{at:g}" if at in LABELLED else "" for at in errors.columns]
    values = errors.to_numpy()
    style.mesh(axes, errors, Normalize(values.min(), values.max()), xticklabels=places)
    axes.set_xlabel("a")
    axes.tick_params(axis="x", rotation=0)


def draw_barriers(axes: Axes, found: pd.Series) -> None:
    """Draw a bar for each unit, beside its row."""
    axes.barh(np.arange(len(found)) + 0.5, found, 0.7, color=sns.color_palette("deep")[0])
    axes.set(xlabel=BARRIER, yticks=[], ylim=(len(found), 0))
    sns.despine(ax=axes)

"""Figure B3: the error on the line from a unit's initial to its trained weights; its barrier."""

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import colours, style
from layer_robustness.figures.beyond import panels
from layer_robustness.figures.beyond.panels import Results
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import barriers, on_line

AROUND = 0.85  # inches: title, places and what they are
WIDTHS = (1.0, 0.4)
LABELLED = (0, 0.5, 1)


def draw(figure: BeyondFigure, results: Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw lines and barriers of each entry; return what is drawn too.

    A barrier's `source` is `barrier`, the others' is the place on the line.
    """
    drawing, axes = panels.laid_out(figure.rows, results, AROUND, WIDTHS)
    lines = {entry: on_line(results[entry], "error") for entry in figure.entries}
    found = {
        entry: barriers(on_line(results[entry], "loss"))
        for entry, errors in lines.items()
        if not errors.empty
    }
    highest = max((float(each.max()) for each in found.values()), default=0)
    drawn = []
    for number, (entry, (left, right)) in enumerate(zip(figure.entries, axes, strict=True)):
        panels.title(left, number, entry, results[entry])
        if entry not in found:
            right.set_axis_off()
            style.say(left, "not measured: reinit, interpolate:a")
            continue
        draw_line(left, lines[entry])
        draw_barriers(right, found[entry], highest)
        row = left.figure
        bar = row.colorbar(left.collections[0], ax=[left, right], pad=0.02, aspect=20)
        bar.ax.tick_params(labelsize=6, length=2)
        bar.set_label("Test error", fontsize=style.SMALL_PRINT)
        bar.outline.set_visible(False)
        rows = lines[entry].melt(ignore_index=False, var_name="source").reset_index()
        rows["quantity"] = "test_error"
        bars = found[entry].rename("value").reset_index()
        drawn += [rows.assign(entry=entry), bars.assign(entry=entry, quantity="barrier")]
    return drawing, pd.concat(drawn) if drawn else pd.DataFrame()


def draw_line(axes: Axes, errors: pd.DataFrame) -> None:
    """Draw the errors: units as rows, places on the line as columns."""
    values = errors.to_numpy()
    with style.alone(axes):
        sns.heatmap(
            errors,
            ax=axes,
            cmap=colours.VALUES,
            norm=Normalize(values.min(), values.max()),
            cbar=False,
            linewidths=0.3,
            yticklabels=True,
            xticklabels=[f"{at:g}" if at in LABELLED else "" for at in errors.columns],
        )
    axes.set(xlabel="a", ylabel="")
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", rotation=0)
    axes.tick_params(axis="x", rotation=0)


def draw_barriers(axes: Axes, found: pd.Series, highest: float) -> None:
    """Draw a bar for each unit, beside its row."""
    axes.barh(np.arange(len(found)) + 0.5, found, 0.7, color=sns.color_palette("deep")[0])
    axes.set(xlabel="barrier", yticks=[], ylim=(len(found), 0))
    axes.set_xlim(0, 1.05 * highest or 1)
    sns.despine(ax=axes)

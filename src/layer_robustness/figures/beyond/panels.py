"""How the panels of these figures are laid out and drawn, one or more for each entry."""

from collections.abc import Callable, Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.beyond.registry import BeyondFigure, label
from layer_robustness.figures.names import DID_NOT_TRAIN
from layer_robustness.networks.result import Result

Results = Mapping[str, Result]


def drawn(
    figure: BeyondFigure,
    results: Results,
    around: float,
    draw_entry: Callable[..., pd.DataFrame],
    widths: Sequence[float] = (1,),
) -> tuple[Drawing, pd.DataFrame]:
    """Draw all entries, in rows that are as high as their units need; return what is drawn too.

    `around` is inches above and below the units. `draw_entry` draws a result into its axes, whose
    `widths` are relative to each other, and returns what it has drawn.
    """
    units = {entry: results[entry].resets["unit"].nunique() for entry in figure.entries}
    tallest = [max(heatmap.ROWS, *(units[entry] for entry in row)) for row in figure.rows]
    heights = [around + heatmap.ROW * units for units in tallest]
    each = len(widths)
    counts = [len(row) * each for row in figure.rows]
    drawing, axes = style.panels(counts, heights, [*widths] * len(figure.entries))
    frames = []
    for number, entry in enumerate(figure.entries):
        own = axes[number * each : (number + 1) * each]
        title(own[0], number, entry, results[entry])
        if results[entry].did_not_train:
            style.say(own[0], DID_NOT_TRAIN)
            for beside in own[1:]:
                beside.set_axis_off()
        else:
            frames.append(draw_entry(results[entry], *own).assign(entry=entry))
    return drawing, together(frames)


def together(frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Join what was drawn of entries, of some of which that is nothing."""
    found = [frame for frame in frames if not frame.empty]
    return pd.concat(found) if found else pd.DataFrame()


def title(axes: Axes, number: int, entry: str, result: Result) -> None:
    """Write a panel's title: its letter, the network and its test error."""
    error = "" if result.did_not_train else f", error {result.frame['error'].iloc[0]:.3f}"
    axes.set_title(f"({chr(ord('a') + number)}) {label(entry)}{error}")

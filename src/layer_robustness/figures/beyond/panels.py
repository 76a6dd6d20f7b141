"""How the panels of these figures are laid out."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.beyond.registry import label
from layer_robustness.networks.result import Result

UNIT = heatmap.ROW  # inches
Results = Mapping[str, Result]


def units(result: Result) -> int:
    """Number of units that were reset."""
    return result.resets["unit"].nunique()


def laid_out(
    rows: Sequence[Sequence[str]], results: Results, around: float, widths: Sequence[float]
) -> tuple[Drawing, list[list[Axes]]]:
    """Return a drawing and the axes of each entry, in rows that are as high as their units need.

    Parameters
    ----------
    rows
        The entries of each row.
    around
        Inches above and below the units.
    widths
        Of the axes of one entry, relative to each other.
    """
    heights = [
        around + UNIT * max(heatmap.ROWS, *(units(results[entry]) for entry in row)) for row in rows
    ]
    each = len(widths)
    counts = [len(row) * each for row in rows]
    drawing, axes = style.panels(counts, heights, [*widths] * sum(map(len, rows)))
    return drawing, [axes[start : start + each] for start in range(0, len(axes), each)]


def title(axes: Axes, number: int, entry: str, result: Result) -> None:
    """Write a panel's title: its letter, the network and its test error."""
    error = result.frame["error"].iloc[0]
    axes.set_title(f"({chr(ord('a') + number)}) {label(entry)}, error {error:.3f}")

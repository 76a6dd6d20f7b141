"""How every figure looks, and how it is saved."""

import io
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import colours, names
from layer_robustness.figures.figure import Figure, Panel
from layer_robustness.figures.names import Sources
from layer_robustness.storage.files import replacing

# Errors on a scale of each panel's own, or all from 0 to 1.
ErrorScale = Literal["panel", "shared"]

WIDTH = 7.2  # inches: the text width of a page
LAYER_NAME = 6  # points: 53 names side by side in the text width do not touch
HEADING = 0.2  # inches
SMALL_PRINT = 5.5  # points
SMALL_PRINT_LINE = 165  # characters that fit in the text width

RC = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "axes.formatter.useoffset": False,  # a colour bar of nearly equal errors says the errors
    "pdf.fonttype": 42,  # text stays text
    "figure.dpi": 100,
}


def panels(
    rows: Sequence[int], height: float | Sequence[float], widths: Sequence[float]
) -> tuple[Drawing, list[Axes]]:
    """Return a drawing and its axes, row by row.

    `rows` counts the axes of each row, which is a subfigure of its own; `height` is inches of all
    rows or of each; `widths` of axes are relative to the others of their row.
    """
    mpl.use("agg")
    plt.style.use(RC)
    heights = [height] * len(rows) if isinstance(height, int | float) else list(height)
    drawing = plt.figure(figsize=(WIDTH, sum(heights)), layout="constrained")
    # Laid out once all is there: seaborn draws the whole figure with each heatmap that it adds.
    drawing.set_layout_engine("none")
    axes = []
    subfigures = drawing.subfigures(len(rows), squeeze=False, height_ratios=heights).flat
    for row, count in zip(subfigures, rows, strict=True):
        ratios = widths[len(axes) : len(axes) + count]
        axes.extend(row.subplots(1, count, squeeze=False, width_ratios=ratios).flat)
    return drawing, axes


def head(drawing: Drawing, figure: Figure, sources: Sources) -> None:
    """Write a figure's title on top if it names data that are not the paper's."""
    title = names.labelled(figure.title, sources)
    if title != figure.title:
        drawing.set_figheight(drawing.get_figheight() + HEADING)
        drawing.suptitle(title, fontsize=mpl.rcParams["axes.titlesize"], weight="bold")


def add_note(drawing: Drawing, note: str) -> None:
    """Have a sentence on what is drawn end the small print."""
    drawing.set_label(note)


def mesh(
    axes: Axes,
    grid: pd.DataFrame,
    norm: Normalize,
    colour_map: str = colours.VALUES,
    xticklabels: Sequence[str] | bool = True,
    yticklabels: bool = True,
) -> None:
    """Draw a grid as coloured cells, with the names of its rows and columns unless given others."""
    drawing = axes.get_figure(root=True)
    assert drawing is not None
    # Hide all other rows: seaborn draws what it sees with each heatmap that it adds.
    others = [row for row in drawing.subfigs if row is not axes.figure]
    for row in others:
        row.set_visible(False)
    sns.heatmap(
        grid,
        ax=axes,
        cmap=colour_map,
        norm=norm,
        cbar=False,
        linewidths=0.3,
        xticklabels=xticklabels,
        yticklabels=yticklabels,
    )
    for row in others:
        row.set_visible(True)
    axes.set(xlabel="", ylabel="")
    axes.tick_params(axis="both", length=0)
    axes.tick_params(axis="y", rotation=0)


def slanted(axes: Axes) -> None:
    """Slant the names of columns, so that long ones do not touch."""
    axes.tick_params(axis="x", rotation=45)
    for name in axes.get_xticklabels():
        name.set(ha="right", rotation_mode="anchor")


def colour_bar(
    mappable: ScalarMappable, axes: Axes | Sequence[Axes], label: str, **where: Any
) -> Colorbar:
    """Add the colour bar of some axes of a row, `where` as matplotlib takes it."""
    first = axes if isinstance(axes, Axes) else axes[0]
    bar = first.figure.colorbar(mappable, ax=axes, **where)
    bar.ax.tick_params(labelsize=6, length=2)
    bar.set_label(label, fontsize=SMALL_PRINT)
    return bar


def title(axes: Axes, panel: Panel, cells: pd.DataFrame, sources: Sources) -> None:
    """Write a panel's title, and how many seeds are not in what it draws."""
    name = f"({panel.letter}) {names.labelled(panel.title, sources)}"
    axes.set_title("\n".join([name, *names.left_out(cells)]))


def is_empty(axes: Axes, panel: Panel, values: pd.Series) -> bool:
    """Whether a panel has no values to draw; it then says why."""
    if values.empty:
        reason = names.not_run(panel.networks)
    elif values.isna().all():
        reason = names.DID_NOT_TRAIN
    else:
        return False
    say(axes, reason)
    return True


def say(axes: Axes, reason: str) -> None:
    """Write on an empty panel why it is empty."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="0.8", visible=True)
    axes.text(
        0.5,
        0.5,
        reason.replace(": ", ":\n").replace(" … ", " …\n"),
        transform=axes.transAxes,
        ha="center",
        va="center",
        color="0.4",
    )


def lay_out(drawing: Drawing, small_print: str) -> None:
    """Lay a drawing out over lines that say what was computed from what, and add them."""
    text = "; ".join(filter(None, (small_print.strip(), str(drawing.get_label()))))
    lines = textwrap.wrap(text, SMALL_PRINT_LINE, break_on_hyphens=False)
    below = (1.3 * SMALL_PRINT * len(lines) + 4) / 72  # inches
    height = drawing.get_figheight() + below
    drawing.set_figheight(height)
    drawing.set_layout_engine("constrained", rect=(0, below / height, 1, 1 - below / height))
    drawing.text(
        0.5,
        2 / 72 / height,
        "\n".join(lines),
        ha="center",
        va="bottom",
        fontsize=SMALL_PRINT,
        color="0.35",
    )


def save(drawing: Drawing, output: Path, small_print: str) -> None:
    """Write a .pdf and a .png beside each other; `output` is either."""
    lay_out(drawing, small_print)
    for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {})):
        drawn = io.BytesIO()  # on a full disk matplotlib's PDF fails with an error of its own
        drawing.savefig(drawn, format=suffix[1:], dpi=300, metadata=metadata)
        with replacing(output.with_suffix(suffix)) as temporary:
            temporary.write_bytes(drawn.getvalue())
    plt.close(drawing)

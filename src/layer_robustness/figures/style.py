"""How every figure looks, and how it is saved."""

from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing

from layer_robustness.files import replacing

WIDTH = 7.2  # inches: the text width of a page

RC = {
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 7,
    "pdf.fonttype": 42,  # text stays text
    "figure.dpi": 100,
}


def panels(count: int, across: int, panel_height: float) -> tuple[Drawing, list[Axes]]:
    """Return a drawing with `count` axes, `across` of them in a row, each so many inches high."""
    mpl.use("agg")
    mpl.rcParams.update(RC)
    down = -(-count // across)
    drawing, axes = plt.subplots(
        down,
        across,
        figsize=(WIDTH, down * panel_height + 0.25),
        layout="constrained",
        squeeze=False,
    )
    for spare in axes.flat[count:]:
        spare.remove()
    return drawing, list(axes.flat[:count])


def not_run(axes: Axes, dataset: str) -> None:
    """Say on an empty panel why it is empty."""
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color="0.8", visible=True)
    axes.text(
        0.5,
        0.5,
        f"not run:\nno source for {dataset} configured",
        transform=axes.transAxes,
        ha="center",
        va="center",
        color="0.4",
    )


def save(drawing: Drawing, output: Path, small_print: str) -> None:
    """Write `output`.pdf and .png, with a line that says what was computed from what."""
    inch = 1 / drawing.get_figheight()
    drawing.get_layout_engine().set(rect=(0, 0.16 * inch, 1, 1 - 0.16 * inch))
    drawing.text(0.5, 0.03 * inch, small_print, ha="center", fontsize=5.5, color="0.35")
    for suffix, metadata in ((".pdf", {"CreationDate": None}), (".png", {})):
        with replacing(output.with_suffix(suffix)) as temporary:
            drawing.savefig(temporary, format=suffix[1:], dpi=300, metadata=metadata)
    plt.close(drawing)

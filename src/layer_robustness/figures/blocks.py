"""Figure 7: the inside of residual blocks, as boxes and arrows.

Where a box stands follows from the graph: the longest way from input to output goes straight down,
whatever it leaves out goes down beside it.
"""

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Drawing
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch
from matplotlib.path import Path

from layer_robustness.experiments.names import parse_network
from layer_robustness.figures import style
from layer_robustness.figures.collect import COLUMNS
from layer_robustness.figures.figure import Figure
from layer_robustness.models.structure import residual_blocks

# All lengths are inches on paper.
HEIGHT = 3.6
STEP = 0.4  # from one node to the next
BOX = (1.6, 0.22)
CIRCLE = 0.11  # radius
SKIP = 1.15  # how far beside the boxes a skip runs
BESIDE = 1.85  # and where it has a box itself

Graph = dict[str, list[str]]  # the inputs of each node, inputs first


def collect(figure: Figure) -> pd.DataFrame:
    """Return the nodes of the residual blocks as they are built, `inputs` joined by spaces."""
    traced = residual_blocks(parse_network("cifar10/resnet50"))
    rows = [
        (panel.name, panel.unit, node["name"], node["label"], " ".join(node["inputs"]))
        for panel in figure.panels
        for node in traced[panel.unit]
    ]
    return pd.DataFrame(rows, columns=COLUMNS["blocks"])


def draw(figure: Figure, frame: pd.DataFrame, *_: object) -> Drawing:
    """Draw the nodes of `collect`, which have neither data nor errors."""
    drawing, axes = style.panels(figure.rows, HEIGHT, [1] * len(figure.panels))
    for panel, panel_axes in zip(figure.panels, axes, strict=True):
        panel_axes.set_title(f"({panel.letter}) {panel.title} ({panel.unit})")
        draw_block(panel_axes, frame[frame["figure"] == panel.name])
    return drawing


def draw_block(axes: Axes, nodes: pd.DataFrame) -> None:
    """Draw one block."""
    inputs = {
        node: joined.split() for node, joined in zip(nodes["node"], nodes["inputs"], strict=True)
    }
    positions = place(inputs)
    labels = dict(zip(nodes["node"], nodes["label"], strict=True))
    for node, (x, y) in positions.items():
        draw_node(axes, x, y, labels[node])
    for node, sources in inputs.items():
        for source in sources:
            line = route(positions[source], positions[node], BOX[1] / 2)
            axes.add_patch(
                FancyArrowPatch(
                    path=Path(line),
                    arrowstyle="-|>",
                    mutation_scale=7,
                    shrinkA=0,
                    shrinkB=0,
                    linewidth=0.8,
                    color="0.2",
                )
            )
    right = max(SKIP, *(x + BOX[0] / 2 for x, _ in positions.values()))
    middle = (right - BOX[0] / 2) / 2
    lowest = min(y for _, y in positions.values())
    axes.set(
        xlim=(middle - style.WIDTH / 4, middle + style.WIDTH / 4),
        ylim=(lowest - STEP / 3, STEP / 3),
        aspect="equal",
    )
    axes.axis("off")


def place(inputs: Graph) -> dict[str, tuple[float, float]]:
    """Return where each node stands, in inches, the input at (0, 0)."""
    depth: dict[str, int] = {}  # steps from the input, on the longest way
    for node, sources in inputs.items():
        depth[node] = 1 + max((depth[source] for source in sources), default=-1)
    straight = [list(inputs)[-1]]
    while inputs[straight[-1]]:
        straight.append(max(inputs[straight[-1]], key=depth.__getitem__))
    positions = {node: (0.0, -STEP * depth[node]) for node in straight}
    for node in inputs.keys() - positions.keys():
        (end,) = (after for after, sources in inputs.items() if node in sources)
        middle = (depth[inputs[node][0]] + depth[end]) / 2
        positions[node] = (BESIDE, -STEP * middle)
    return positions


def draw_node(axes: Axes, x: float, y: float, label: str) -> None:
    """Draw a sum as a circle, an operation as a box, input and output as words."""
    colours = sns.color_palette("pastel")
    if label == "+":
        axes.add_patch(Circle((x, y), CIRCLE, facecolor="white", edgecolor="0.2", linewidth=0.8))
    elif label not in ("input", "output"):
        width, height = BOX
        axes.add_patch(
            FancyBboxPatch(
                (x - width / 2, y - height / 2),
                width,
                height,
                boxstyle="round,pad=0,rounding_size=0.05",
                facecolor=colours[1] if label == "ReLU" else colours[0],
                edgecolor="0.2",
                linewidth=0.8,
            )
        )
    axes.text(x, y, label, ha="center", va="center_baseline", fontsize=7)


def route(
    start: tuple[float, float], end: tuple[float, float], half: float
) -> list[tuple[float, float]]:
    """Return the corners of an arrow between two nodes that are so high to each side, in inches.

    A skip leaves below its start, runs down beside the boxes, and comes to its end from there.
    """
    (x0, y0), (x1, y1) = start, end
    below = (x0, y0 - half)
    if x0 == x1 and y0 - y1 <= 1.5 * STEP:
        return [below, (x1, y1 + half)]
    fork = y0 - STEP / 2
    if x1 > x0:
        return [below, (x0, fork), (x1, fork), (x1, y1 + half)]
    if x0 > x1:
        return [below, (x0, y1), (x1 + CIRCLE, y1)]
    return [below, (x0, fork), (SKIP, fork), (SKIP, y1), (x1 + CIRCLE, y1)]

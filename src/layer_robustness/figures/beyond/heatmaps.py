"""Figure B1: units as rows, fresh and earlier values as columns, as in the paper's heatmaps."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.beyond import panels
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import cells, states
from layer_robustness.networks.result import Result

BAR = 45  # a colour bar is so many times as high as wide


def draw(figure: BeyondFigure, results: panels.Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw a heatmap of each entry; return what is drawn too."""
    return panels.drawn(figure, results, heatmap.AROUND, draw_entry)


def draw_entry(result: Result, axes: Axes) -> pd.DataFrame:
    """Draw the heatmap of one entry."""
    labels = states(result.resets["source"].unique())
    found = cells(result, "error", list(labels))
    if found.empty:
        style.say(axes, "not measured: rerand, reinit")
        return found
    values = np.append(found["value"].to_numpy(), result.frame["error"].iloc[0])
    shown = found.rename(columns={"unit": "layer"})
    shown["checkpoint"] = shown["source"].map(labels)
    norm = Normalize(values.min(), values.max())
    heatmap.draw_cells(axes, shown, norm, "Test error", aspect=BAR)
    return found

"""Figure B1: units as rows, fresh and earlier values as columns, as in the paper's heatmaps."""

import numpy as np
import pandas as pd
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures import heatmap, style
from layer_robustness.figures.beyond import panels
from layer_robustness.figures.beyond.panels import Results
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import cells, states

BAR = 45  # a colour bar is so many times as high as wide


def draw(figure: BeyondFigure, results: Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw a heatmap of each entry; return what is drawn too."""
    drawing, axes = panels.laid_out(figure.rows, results, heatmap.AROUND, [1])
    drawn = []
    for number, (entry, (own,)) in enumerate(zip(figure.entries, axes, strict=True)):
        result = results[entry]
        panels.title(own, number, entry, result)
        labels = states(result.resets["source"].unique())
        found = cells(result, "error", list(labels))
        if found.empty:
            style.say(own, "not measured: rerand, reinit")
            continue
        drawn.append(found.assign(entry=entry))
        values = np.append(found["value"].to_numpy(), result.frame["error"].iloc[0])
        shown = found.rename(columns={"unit": "layer"})
        shown["checkpoint"] = shown["source"].map(labels)
        norm = Normalize(values.min(), values.max())
        heatmap.draw_cells(own, shown, norm, "Test error", aspect=BAR)
    return drawing, pd.concat(drawn) if drawn else pd.DataFrame()

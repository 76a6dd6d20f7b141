"""The figure of one network: all that its units were reset to."""

import pandas as pd
from matplotlib.figure import Figure as Drawing

from layer_robustness.figures.beyond.panels import Results
from layer_robustness.figures.beyond.registry import BeyondFigure
from layer_robustness.figures.beyond.rows import cells
from layer_robustness.networks import heatmap


def draw(figure: BeyondFigure, results: Results) -> tuple[Drawing, pd.DataFrame]:
    """Draw the test error of each unit and source; return what is drawn too."""
    (entry,) = figure.entries
    result = results[entry]
    found = cells(result, "error", list(result.resets["source"].unique()))
    trained = float(result.frame["error"].iloc[0])
    return heatmap.drawn(found, "error", trained), found.assign(entry=entry)

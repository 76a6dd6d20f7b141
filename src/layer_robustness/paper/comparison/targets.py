"""Which figures and tables are compared with the paper's."""

from layer_robustness.figures.registry import FIGURES
from layer_robustness.tables.registry import TABLES

IN_PAPER = [figure for figure in FIGURES.values() if figure.in_paper]
# Figures 17 and 18 are heatmaps' data again, and Figure 7 has no numbers.
COMPARED = [
    target
    for target in (*IN_PAPER, *TABLES.values())
    if target.kind in ("heatmap", "bars", "errors", "adversarial")
]
# Drawn three times: the paper's, ours and the difference.
HEATMAPS = {figure.name: figure for figure in IN_PAPER if figure.kind == "heatmap"}

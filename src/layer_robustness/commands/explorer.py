"""Write explorer.html: every panel of every heatmap, ours, the paper's, and their difference."""

from pathlib import Path

from layer_robustness.commands import target
from layer_robustness.experiments import paths
from layer_robustness.explorer.page import render
from layer_robustness.explorer.panels import CELL, panels
from layer_robustness.explorer.training import training
from layer_robustness.figures.captions import small_print
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.targets import HEATMAPS
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Write the page of what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    arguments = parser.parse_args()
    results = target.results(arguments)
    data = {
        "columns": CELL,
        "panels": panels(results, paper.load(arguments.paper)),
        "training": training(results.frames.get(paths.TRAINING)),
        "small_prints": {
            name: small_print(figure, arguments.preset, results)
            for name, figure in HEATMAPS.items()
        },
    }
    target.write_texts(arguments.output, {".html": render(data)})


if __name__ == "__main__":
    exit_with_one_line(main)

"""Draw the heatmaps of a figure, the paper's beside ours: a .pdf and a .png."""

import argparse
from pathlib import Path

from layer_robustness.figures import style
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper import setups
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison import pictures
from layer_robustness.paper.comparison.targets import DRAWN
from layer_robustness.paper.comparison.values import compare
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Draw what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", choices=DRAWN)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data's summaries")
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    parser.add_argument("--output", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--setups", required=True, help="of each network that ran, as JSON")
    parser.add_argument("--small-print", required=True)
    arguments = parser.parse_args()
    figure = FIGURES[arguments.figure]
    run = setups.read(arguments.setups, arguments.data)
    rows = compare([figure], arguments.results, run, paper.load(arguments.paper))
    output = arguments.output / f"comparison_{figure.name}"
    style.save(pictures.draw(figure, rows), output, arguments.small_print)


if __name__ == "__main__":
    exit_with_one_line(main)

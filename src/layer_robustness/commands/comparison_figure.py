"""Draw the heatmaps of a figure, the paper's beside ours: a .pdf and a .png."""

from pathlib import Path

from layer_robustness.commands import target
from layer_robustness.figures import style
from layer_robustness.figures.captions import small_print
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison import pictures
from layer_robustness.paper.comparison.values import HEATMAPS, compare
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Draw what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("figure", choices=HEATMAPS)
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    parser.add_argument("--error-scale", choices=("panel", "shared"), default="panel")
    arguments = parser.parse_args()
    figure, results = HEATMAPS[arguments.figure], target.results(arguments)
    rows = compare([figure], results, paper.load(arguments.paper))
    printed = small_print(figure, arguments.preset, results)
    drawn = pictures.draw(figure, rows, error_scale=arguments.error_scale)
    style.save(drawn, arguments.output, printed)


if __name__ == "__main__":
    exit_with_one_line(main)

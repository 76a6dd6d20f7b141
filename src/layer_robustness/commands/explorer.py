"""Write explorer.html: every panel of every heatmap, ours, the paper's, and their difference."""

import argparse
import json
from pathlib import Path

from layer_robustness.explorer.page import render
from layer_robustness.explorer.panels import CELL, panels
from layer_robustness.explorer.training import training
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage.files import replacing


def main() -> None:
    """Write the page of what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--figures", type=Path, required=True, help="folder of the figures and of comparison.csv"
    )
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    parser.add_argument("--seeds", type=json.loads, required=True, help="of each network, as JSON")
    parser.add_argument(
        "--small-prints", type=json.loads, required=True, help="of each figure, as JSON"
    )
    parser.add_argument("--output", type=Path, required=True, help="the page")
    arguments = parser.parse_args()
    data = {
        "columns": CELL,
        "panels": panels(arguments.figures, arguments.paper),
        "training": training(arguments.results, arguments.seeds),
        "small_prints": arguments.small_prints,
    }
    with replacing(arguments.output) as temporary:
        temporary.write_text(render(data))


if __name__ == "__main__":
    exit_with_one_line(main)

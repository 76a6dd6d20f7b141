"""Write comparison.csv, the paper's values beside ours, and its summary comparison_panels.csv."""

import argparse
from pathlib import Path

from layer_robustness.paper import setups
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.agreement import summarize
from layer_robustness.paper.comparison.targets import COMPARED
from layer_robustness.paper.comparison.values import compare
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage.files import replacing


def main() -> None:
    """Compare everything that the arguments say was run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data's summaries")
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    parser.add_argument("--output", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--setups", required=True, help="of each network that ran, as JSON")
    arguments = parser.parse_args()
    run = setups.read(arguments.setups, arguments.data)
    rows = compare(COMPARED, arguments.results, run, paper.load(arguments.paper))
    chances = {network.partition("/")[0]: setup.chance for network, setup in run.items()}
    for name, frame in {"comparison": rows, "comparison_panels": summarize(rows, chances)}.items():
        with replacing(arguments.output / f"{name}.csv") as temporary:
            frame.to_csv(temporary, index=False)


if __name__ == "__main__":
    exit_with_one_line(main)

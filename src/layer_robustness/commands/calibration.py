"""Compare short trainings at several rates with the paper's errors at these epochs (.csv, .md)."""

import argparse
from pathlib import Path

from layer_robustness.commands.target import write_texts
from layer_robustness.experiments import paths
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.results import Results
from layer_robustness.paper import calibration
from layer_robustness.paper import values as paper
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Compare what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("trials", type=Path, nargs="+", help="training.csv of each trial")
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    parser.add_argument("--output", type=Path, required=True, help="calibration.csv")
    arguments = parser.parse_args()
    histories = Results.read((), arguments.trials).frames[paths.TRAINING]
    rates = {
        str(path): Manifest.load(path.with_name(paths.MANIFEST)).recipe.learning_rate
        for path in arguments.trials
    }
    trials = histories.assign(rate=histories["path"].map(rates))
    table = calibration.compare(trials, calibration.published(paper.load(arguments.paper)))
    markdown = table.to_markdown(index=False, floatfmt=".3g") + "\n"
    write_texts(arguments.output, {".csv": table.to_csv(index=False), ".md": markdown})


if __name__ == "__main__":
    exit_with_one_line(main)

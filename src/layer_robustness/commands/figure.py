"""Draw a figure: its .pdf, its .png, and the .csv of exactly what is drawn."""

import argparse
import importlib
import json
from pathlib import Path

import pandas as pd

from layer_robustness.figures import style
from layer_robustness.figures.collect import collect, collect_blocks
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.registry import FIGURES
from layer_robustness.runtime.errors import InputError, exit_with_one_line
from layer_robustness.storage.files import replacing


def main() -> None:
    """Draw what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--output", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--seeds", type=json.loads, required=True, help="of each network, as JSON")
    parser.add_argument("--structure", type=Path, help="what commands.structure wrote; figure7")
    parser.add_argument("--small-print", required=True)
    arguments = parser.parse_args()
    figure = FIGURES[arguments.figure]
    if not figure.structure:
        frame = collect(figure, arguments.results, arguments.seeds)
    elif arguments.structure:
        frame = collect_blocks(figure, arguments.structure)
    else:
        raise InputError(f"{figure.name} needs --structure, a file that commands.structure wrote")
    write(figure, frame, arguments.output, arguments.small_print)


def write(figure: Figure, frame: pd.DataFrame, folder: Path, small_print: str) -> None:
    """Write the figure of this frame, and the frame itself."""
    output = folder / figure.name
    with replacing(output.with_suffix(".csv")) as temporary:
        frame.to_csv(temporary, index=False)
    # By name, so that an edit to one kind of drawing concerns only the figures of that kind.
    kind = importlib.import_module(f"layer_robustness.figures.{figure.kind}")
    style.save(kind.draw(figure, frame), output, small_print)


if __name__ == "__main__":
    exit_with_one_line(main)

"""What the commands share that make a figure, a table or a page from results."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from layer_robustness.experiments.results import Results
from layer_robustness.storage.files import replacing


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser for results, their manifests and an output."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--results", type=Path, nargs="*", default=[], help="probe.csv, training.csv, ..."
    )
    parser.add_argument(
        "--manifests", type=Path, nargs="*", default=[], help="checkpoints.json of their networks"
    )
    parser.add_argument("--preset", required=True, help="its name, for the small print")
    parser.add_argument(
        "--output", type=Path, required=True, help="a file; files with other endings go beside it"
    )
    return parser


def results(arguments: argparse.Namespace) -> Results:
    """Read what the arguments name."""
    return Results.read(arguments.manifests, arguments.results)


def write_texts(output: Path, texts: Mapping[str, str]) -> None:
    """Write texts by their ending, beside each other."""
    for suffix, text in texts.items():
        with replacing(output.with_suffix(suffix)) as temporary:
            temporary.write_text(text)

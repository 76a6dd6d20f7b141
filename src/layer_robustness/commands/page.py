"""Write a Markdown text (.md) or a table (.csv) as an HTML page, for Snakemake's report."""

import argparse
from pathlib import Path

import pandas as pd

from layer_robustness.report import pages
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage.files import replacing


def main() -> None:
    """Write what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", type=Path)
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    source = arguments.source
    if source.suffix == ".csv":
        page = pages.of_table(source.stem, pd.read_csv(source))
    else:
        page = pages.of_markdown(source.stem, source.read_text())
    with replacing(arguments.output) as temporary:
        temporary.write_text(page)


if __name__ == "__main__":
    exit_with_one_line(main)

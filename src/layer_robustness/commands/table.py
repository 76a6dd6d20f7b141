"""Write a table: its .csv, and the same to be read as Markdown (.md) and LaTeX (.tex)."""

import argparse
import json
from pathlib import Path

import pandas as pd

from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage.files import replacing
from layer_robustness.tables import adversarial, errors, style
from layer_robustness.tables.registry import TABLES, Table

KINDS = {"errors": errors, "adversarial": adversarial}


def main() -> None:
    """Write what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("table", choices=TABLES)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--output", type=Path, required=True, help="folder of the tables")
    parser.add_argument("--seeds", type=json.loads, required=True, help="of each network, as JSON")
    parser.add_argument("--small-print", required=True)
    arguments = parser.parse_args()
    table = TABLES[arguments.table]
    frame = KINDS[table.kind].collect(table, arguments.results, arguments.seeds)
    write(table, frame, arguments.output, arguments.small_print)


def write(table: Table, frame: pd.DataFrame, folder: Path, small_print: str) -> None:
    """Write the table of this frame in all its forms."""
    shown = KINDS[table.kind].layout(table, frame)
    texts = {
        ".csv": frame.to_csv(index=False),
        ".md": style.markdown(table, shown, small_print),
        ".tex": style.latex(table, shown, small_print),
    }
    for suffix, text in texts.items():
        with replacing(folder / f"{table.name}{suffix}") as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    exit_with_one_line(main)

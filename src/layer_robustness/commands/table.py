"""Write a table: its .csv, and the same to be read as Markdown (.md) and LaTeX (.tex)."""

import argparse
import json
from pathlib import Path

from layer_robustness.errors import exit_with_one_line
from layer_robustness.files import replacing
from layer_robustness.tables import errors, style
from layer_robustness.tables.registry import TABLES

KINDS = {"errors": errors}


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
    kind = KINDS[table.kind]
    frame = kind.collect(table, arguments.results, arguments.seeds)
    shown = kind.layout(table, frame)
    texts = {
        ".csv": frame.to_csv(index=False),
        ".md": style.markdown(table, shown, arguments.small_print),
        ".tex": style.latex(table, shown, arguments.small_print),
    }
    for suffix, text in texts.items():
        with replacing(arguments.output / f"{table.name}{suffix}") as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    exit_with_one_line(main)

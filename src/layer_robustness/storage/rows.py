"""Results as rows of numbers: CSV files."""

import csv
from collections.abc import Iterable
from pathlib import Path

from layer_robustness.storage.files import replacing


def write(path: Path, rows: Iterable[dict]) -> None:
    """Write rows, all with the same columns, at once or not at all; floats keep every digit."""
    rows = list(rows)
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

"""Results as rows of numbers."""

import csv
from collections.abc import Iterable
from pathlib import Path

from layer_robustness.files import replacing


def write(path: Path, rows: Iterable[dict]) -> None:
    """Write rows, all with the same columns, as CSV; floats keep every digit."""
    rows = list(rows)
    with replacing(path) as temporary, temporary.open("w") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)

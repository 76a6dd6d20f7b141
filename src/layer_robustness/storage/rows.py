"""Results as rows of numbers: CSV files that know their own checksum.

A last column, the same in each row, holds the first 16 digits of the SHA-256 of all the others. A
table with a row less or a digit changed would look like any other.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from pathlib import Path

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing

CHECKSUM = "checksum"


def digest(lines: Iterable[str]) -> str:
    """Return the checksum of a table's lines without their last column."""
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def write(path: Path, rows: Iterable[dict]) -> None:
    """Write rows, all with the same columns, as CSV; floats keep every digit."""
    rows = list(rows)
    table = io.StringIO()
    writer = csv.DictWriter(table, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    header, *lines = table.getvalue().splitlines()
    checksum = digest([header, *lines])
    written = [f"{header},{CHECKSUM}\n", *(f"{line},{checksum}\n" for line in lines)]
    with replacing(path) as temporary:
        temporary.write_text("".join(written))


def verified(path: Path) -> str:
    """Return the CSV that was written, without its checksums, which match.

    Raises
    ------
    InputError
        If the file is missing, was not written by `write`, or is not as it was written.
    """
    try:
        lines = path.read_text().split("\n")
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(path)}") from error
    table, _, ends = zip(*(line.rpartition(",") for line in lines), strict=True)
    checksum = digest(table[:-1])
    if list(ends) != [CHECKSUM, *[checksum] * (len(lines) - 2), ""]:
        raise InputError(f"{path} does not match its own checksum: {remedy(path)}")
    return "\n".join(table)

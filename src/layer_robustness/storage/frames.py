"""CSV files as frames."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy


def read(path: Path, columns: Mapping[str, type]) -> pd.DataFrame:
    """Return the rows of a file that has these columns, each of its type; it may have others.

    Raises `InputError` if the file is missing, is no CSV, lacks a column, or has values of another
    type.
    """
    try:
        frame = pd.read_csv(path, dtype=columns)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())  # pandas ends some with a line break
        raise InputError(f"{path} cannot be read ({reason}): {remedy(path)}") from error
    for name in columns:
        if name not in frame:
            raise InputError(f"{path} has no column {name}: {remedy(path)}")
    return frame

"""Small JSON files."""

import json
from pathlib import Path

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing


def save(path: Path, values: dict) -> None:
    """Write the file at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(values, indent=1) + "\n")


def load(path: Path) -> dict:
    """Return the values of a file written by `save`.

    Raises `InputError` if the file is missing, or no JSON object.
    """
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(path)}") from error

"""Small JSON files that know their own checksum: the SHA-256 of all else, under `checksum`."""

import hashlib
import json
from pathlib import Path

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing


def digest(values: dict) -> str:
    """Return the SHA-256 of values, in whichever order."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def save(path: Path, values: dict) -> None:
    """Write the file at once or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps({**values, "checksum": digest(values)}, indent=1) + "\n")


def load(path: Path) -> dict:
    """Return the values of a file written by `save`.

    Raises
    ------
    InputError
        If the file is missing, not of this kind, or does not match its checksum.
    """
    try:
        values = dict(json.loads(path.read_text()))
    except (OSError, ValueError, TypeError, RecursionError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(path)}") from error
    if values.pop("checksum", None) != digest(values):
        raise InputError(f"{path} does not match its own checksum: {remedy(path)}")
    return values

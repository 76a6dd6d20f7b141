"""Which test images each row of a CSV gets wrong, as bits in a small file beside it.

With them a single trained network has intervals: over the test images that it happens to be tested
on, and paired, as all rows are about the same images.
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing

MISSED = "missed"  # of a row that is measured, before the bits are split off


def path_of(table: Path) -> Path:
    """Return where the bits of a table are: probe.missed.safetensors beside probe.csv."""
    return table.with_suffix(".missed.safetensors")


def write(table: Path, missed: Sequence[np.ndarray]) -> None:
    """Write bool [N] of each row of the table, in its order; empty where nothing was measured."""
    images = max(len(row) for row in missed)
    whole = [row.astype(bool) if len(row) else np.zeros(images, bool) for row in missed]
    tensors = {"missed": np.packbits(whole, axis=1), "images": np.array([images])}
    with replacing(path_of(table)) as temporary:
        save_file(tensors, temporary, {"sha256": digest(tensors)})


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """Return the SHA-256 of both tensors, as safetensors notices no flipped bit."""
    return hashlib.sha256(tensors["images"].tobytes() + tensors["missed"].tobytes()).hexdigest()


def read(table: Path) -> np.ndarray:
    """Return bool [rows, N].

    Raises `InputError` if the file is missing, damaged or not what `write` wrote.
    """
    path = path_of(table)
    try:
        with safe_open(path, "np") as file:
            carried = (file.metadata() or {}).get("sha256")
            tensors = {name: file.get_tensor(name) for name in ("missed", "images")}
    except (OSError, LookupError, ValueError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(path)}") from error
    if carried != digest(tensors):
        raise InputError(f"{path} does not match its own checksum: {remedy(path)}")
    return np.unpackbits(tensors["missed"], axis=1, count=int(tensors["images"][0])) > 0

"""Which test images each row of a CSV gets wrong, as bits in a small file beside it.

With them a single trained network has intervals: over the test images that it happens to be tested
on, and paired, as all rows are about the same images.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing

SUFFIX = ".missed.safetensors"


def path_of(table: Path) -> Path:
    """Return where the bits of a table are: probe.missed.safetensors beside probe.csv."""
    return table.with_suffix(SUFFIX)


def write(table: Path, missed: Sequence[np.ndarray]) -> None:
    """Write bool [N] of each row of the table, in its order; empty where nothing was measured."""
    images = max(len(row) for row in missed)
    whole = [row.astype(bool) if len(row) else np.zeros(images, bool) for row in missed]
    tensors = {"missed": np.packbits(whole, axis=1), "images": np.array([images])}
    with replacing(path_of(table)) as temporary:
        save_file(tensors, temporary)


def read(table: Path) -> np.ndarray:
    """Return bool [rows, N].

    Raises
    ------
    InputError
        If the file is missing or is not what `write` wrote.
    """
    path = path_of(table)
    try:
        tensors = load_file(path)
        return np.unpackbits(tensors["missed"], axis=1, count=int(tensors["images"][0])) > 0
    except (OSError, LookupError, ValueError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(path)}") from error

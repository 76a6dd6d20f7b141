"""Safetensors files that know their own checksum.

Safetensors never runs code when it is read. It notices a truncated file but not a flipped bit, so
each file carries the SHA-256 of its tensors and metadata.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.files import remedy, replacing


def digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Return the SHA-256 over metadata, names, types, shapes and values."""
    sha = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        sha.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()


def save(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """Write the file at once or not at all; return the digest that it carries."""
    held, storages = {}, set()
    for name, tensor in tensors.items():
        on_cpu = tensor.detach().cpu().contiguous()
        storage = on_cpu.untyped_storage().data_ptr()
        # Of a tensor with two names, as tied weights have, safetensors wants two copies.
        held[name] = on_cpu.clone() if storage in storages else on_cpu
        storages.add(storage)
    sha256 = digest(held, metadata)
    with replacing(path) as temporary:
        # In one entry: safetensors writes several in random order, and equal files should be equal.
        text = json.dumps({**metadata, "sha256": sha256}, sort_keys=True)
        save_file(held, temporary, {"metadata": text})
    return sha256


def load(path: Path, delete: Path | None = None) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Return the tensors and the metadata of a file written by `save`.

    Raises `InputError` if the file is missing, truncated, not of this kind, or does not match its
    checksum.

    An error says to delete the file or, where that is not enough, `delete`.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata = dict(json.loads((file.metadata() or {}).get("metadata", "{}")))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, ValueError, TypeError, RecursionError, SafetensorError) as error:
        raise InputError(f"{path} cannot be read ({error}): {remedy(delete or path)}") from error
    carried = {key: value for key, value in metadata.items() if key != "sha256"}
    if metadata.get("sha256") != digest(tensors, carried):
        raise InputError(f"{path} does not match its own checksum: {remedy(delete or path)}")
    return tensors, metadata


def fingerprint(*parts: object) -> str:
    """Identify some work by all that its numbers depend on; builtin types."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def kept(path: Path, fingerprint: str, of: str) -> tuple[dict[str, Tensor], dict[str, str]] | None:
    """Read the saved state of some work, or None; log why if the work has to start over.

    A file with another fingerprint is not used; for the log, it is `of` something else.
    """
    if not path.exists():
        return None
    try:
        tensors, metadata = load(path)
    except InputError as error:
        print(f"starting over: {error}", file=sys.stderr)
        return None
    if metadata.get("fingerprint") != fingerprint:
        print(f"starting over: {path} is of {of}", file=sys.stderr)
        return None
    return tensors, metadata

"""Files that are either whole or not there."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from layer_robustness.runtime.errors import InputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path that is renamed to `path` when the block ends without an error.

    If the block fails, `path` stays as it was and the temporary file is removed.

    Raises `InputError` if the disk is full, the folder read-only, or the like.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except (OSError, SafetensorError) as error:
        raise InputError(
            f"{path} cannot be written ({reason(error)}): check its disk and folder, and run again"
        ) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses this even if there is no file
            temporary.unlink(missing_ok=True)


def reason(error: OSError | SafetensorError) -> str:
    """Say what the system refused; safetensors has an error of its own for a full disk."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    code = re.search(r"os error (\d+)", str(error))
    return os.strerror(int(code[1])) if code else str(error)


def remedy(path: Path) -> str:
    """Say what to delete so that a file or folder is made again, in a shared cache too.

    Snakemake puts links into the cache in the place of files, and would link the same file again.
    Of a folder, either itself or what is in it is linked.
    """
    inside = (entry.readlink().parent for entry in path.glob("*") if entry.is_symlink())
    shared = path.readlink() if path.is_symlink() else next(inside, None)
    return f"delete {path}{f' and {shared}' if shared else ''} and run again"


def link(source: Path, target: Path) -> None:
    """Make `target` the same file as `source`, or a copy if the file system has no hard links."""
    with replacing(target) as temporary:
        try:
            os.link(source, temporary)
        except OSError:
            temporary.write_bytes(source.read_bytes())

"""Snakemake's cache between workflows, checked before any job runs.

By itself Snakemake notices after the training that it cannot write into the cache.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from layer_robustness.runtime.errors import InputError

STEPS = ("data", "train")  # what follows from them takes less time, and is small
FOLDER = "SNAKEMAKE_OUTPUT_CACHE"


def check_links(results: Path) -> None:
    """Refuse links to files that the cache no longer has, which Snakemake stumbles over.

    Raises
    ------
    InputError
        If there is one.
    """
    for folder, _, names in os.walk(results):
        for path in (Path(folder, name) for name in names):
            if path.is_symlink() and not path.exists():
                raise InputError(
                    f"{path} links to {path.readlink()}, which is missing: bring it back, or "
                    f"delete such links (find {results} -xtype l -delete) and run again"
                )


def cached_steps(asked: Sequence[str] | None) -> Sequence[str]:
    """Return the steps whose results go into the cache and come from it.

    Parameters
    ----------
    asked
        The words after `--cache`; nothing where it is not given.

    Raises
    ------
    InputError
        If it is unknown what to cache, or there is no folder for it.
    """
    if asked is None:
        return ()
    # A bare --cache would not reach jobs that are submitted to a cluster.
    if not asked or not set(asked) <= set(STEPS):
        raise InputError(
            f"--cache has {' '.join(asked) or 'nothing'} after it; allowed: {' '.join(STEPS)}, or "
            "one of them; targets come before it"
        )
    folder = Path(os.environ.get(FOLDER, ""))
    if not (folder.is_absolute() and folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise InputError(
            f"{FOLDER} is {os.environ.get(FOLDER)!r}; allowed: the absolute path of a folder that "
            "you can write in"
        )
    return asked

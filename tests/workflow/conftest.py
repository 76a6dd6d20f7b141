"""One checkout in which a few targets were built, for all tests of the workflow."""

import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from support.snakemake_runs import BUILT, copy_checkout, counts, snakemake


@pytest.fixture(scope="session")
def built(tmp_path_factory, worker_id) -> Path:
    """A checkout with all of `BUILT`, to be read, not to be changed.

    The first process of pytest-xdist builds it, and each copies it: Snakemake writes in a folder
    even where it has nothing to do.
    """
    own = tmp_path_factory.getbasetemp()
    first = (own if worker_id == "master" else own.parent) / "first"
    with FileLock(f"{first}.lock"):
        if not first.exists():
            building = copy_checkout(own / "building")
            steps = {"data": 2, "train": 5, "probe": 2, "joint": 1, "distances": 1, "attack": 2}
            assert counts(snakemake(building, targets=BUILT)) == steps | {"figure": 2, "table": 1}
            building.rename(first)
    return copy(first, own / "built")


@pytest.fixture
def checkout(built, tmp_path) -> Path:
    """A copy of it, to be spoiled."""
    return copy(built, tmp_path / "checkout")


def copy(folder: Path, to: Path) -> Path:
    """Copy a checkout with its times."""
    return Path(shutil.copytree(folder, to, copy_function=shutil.copy2))

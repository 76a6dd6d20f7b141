"""One checkout in which a few targets were built, for all tests of the workflow."""

import shutil
from pathlib import Path

import pytest

from support.snakemake_runs import BUILT, copy_checkout, counts, snakemake


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """A checkout with all of `BUILT`, to be read, not to be changed."""
    folder = copy_checkout(tmp_path_factory.mktemp("built") / "checkout")
    steps = {"data": 2, "train": 5, "probe": 2, "joint": 1, "distances": 1, "attack": 2}
    assert counts(snakemake(folder, targets=BUILT)) == steps | {"figure": 2, "table": 1}
    return folder


@pytest.fixture
def checkout(built, tmp_path) -> Path:
    """A copy of it, to be spoiled."""
    return Path(shutil.copytree(built, tmp_path / "checkout", copy_function=shutil.copy2))

"""The paper's own values as results, which take seconds to write."""

from pathlib import Path

import pytest

from support.papers_results import write_all


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A folder of them, to be read only."""
    folder = tmp_path_factory.mktemp("papers")
    write_all(folder)
    return folder

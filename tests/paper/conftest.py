"""The paper's own values as results, which take seconds to write."""

from pathlib import Path

import pytest

from layer_robustness.paper.comparison.values import COMPARED
from support.papers_results import write


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """A folder of them, to be read only."""
    folder = tmp_path_factory.mktemp("papers")
    write(folder, COMPARED)
    return folder

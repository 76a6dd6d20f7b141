"""A small experiment with all its files, to be damaged, and files that would run code."""

import gzip
import io
import os
import pickle
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from support.checkout import ROOT
from support.steps import Steps


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory, recipe) -> Steps:
    """All steps, done, with the paper's values beside them."""
    few = replace(recipe, epochs=2, checkpoints=(0, 1, 2), milestones=(1,), batch_size=500)
    steps = Steps(tmp_path_factory.mktemp("undisturbed"), few, seeds=2)
    steps.all()
    shutil.copytree(ROOT / "resources/paper", steps.folder / "paper")
    return steps


@pytest.fixture
def steps(undisturbed, tmp_path) -> Steps:
    """A copy to be damaged; published checkpoints are links there too."""
    shutil.copytree(undisturbed.folder, tmp_path, dirs_exist_ok=True)
    return replace(undisturbed, folder=tmp_path)


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def zip_program(evil: Payload, file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("__main__.py", f"import os; os.mkdir({str(evil.mark)!r})")


LOAD = partial(torch.load, weights_only=False)
# What writes a payload into a file, and what would run it.
PAYLOADS = {
    "pickled": (pickle.dump, pickle.load),
    "saved by torch": (torch.save, LOAD),
    "saved by old torch": (partial(torch.save, _use_new_zipfile_serialization=False), LOAD),
    "saved by numpy": (
        lambda evil, file: np.save(file, np.array([evil], dtype=object)),
        partial(np.load, allow_pickle=True),
    ),
    "gzipped": (
        lambda evil, file: file.write(gzip.compress(pickle.dumps(evil))),
        lambda file: pickle.loads(gzip.decompress(file.read())),
    ),
    "zipped program": (zip_program, lambda file: exec(zipfile.ZipFile(file).read("__main__.py"))),
    "yaml object": (
        lambda evil, file: file.write(f"!!python/object/apply:os.mkdir ['{evil.mark}']".encode()),
        yaml.unsafe_load,
    ),
}


@pytest.fixture
def payloads(tmp_path) -> Iterator[list[bytes]]:
    """Files that run where they are read carelessly, as is seen here; none may in the test."""
    mark = tmp_path / "the payload ran"
    contents = []
    for write, run in PAYLOADS.values():
        file = io.BytesIO()
        write(Payload(mark), file)
        file.seek(0)
        run(file)
        mark.rmdir()
        contents.append(file.getvalue())
    yield contents
    assert not mark.exists()

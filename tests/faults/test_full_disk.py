"""A disk that is really full, or really read-only: a small one of its own in memory."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.steps import NETWORK, Steps, contents, half_written

SIZE = 18_000_000
FULL = "No space left on device"


def mount(*arguments: object) -> subprocess.CompletedProcess:
    return subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture
def disk(tmp_path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    tried = mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, recipe) -> Steps:
    few = replace(recipe, epochs=4, checkpoints=(0, 1, 4), batch_size=500)
    steps = Steps(tmp_path_factory.mktemp("undisturbed"), few)
    steps.all()
    return steps


@pytest.fixture
def steps(undisturbed, disk) -> Steps:
    """The same steps with their folder on the small disk, the data prepared."""
    steps = replace(undisturbed, folder=disk)
    shutil.copytree(undisturbed.data.parent, steps.data.parent)
    return steps


def leave(disk: Path, free: int) -> None:
    """Fill the disk up to so many bytes; a whole number of pages is what it can tell."""
    make_room(disk)
    found = os.statvfs(disk)
    ballast = found.f_bavail * found.f_frsize - free
    with (disk / "ballast").open("wb") as file:
        file.write(bytes(max(ballast, 0)))


def make_room(disk: Path) -> None:
    (disk / "ballast").unlink(missing_ok=True)


def epochs_told(text: str) -> list[int]:
    return [int(epoch) for epoch in re.findall(r" epoch (\d+)/", text)]


def test_training_on_a_disk_that_fills_loses_no_epoch(steps, undisturbed, capsys):
    """More room from run to run, until it suffices; at first for not even a checkpoint."""
    done, failed = 0, set()
    for free in range(0, 9_000_000, 600_000):
        leave(steps.folder, free)
        capsys.readouterr()
        told = steps.train()
        epochs = epochs_told(capsys.readouterr().err)
        if epochs:
            assert epochs[0] == done + 1, "an epoch was trained twice, or left out"
            done = epochs[-1]
        assert not half_written(steps.folder)
        if not told:
            break
        assert FULL in told and not steps.manifest.exists()
        failed.add(re.search(r"/(\w+)\.safetensors", told)[1])
    assert done == 4 and {"epoch0", "state"} <= failed
    assert steps.weights() == undisturbed.weights()


def filling_after(name: str, disk: Path, monkeypatch) -> None:
    """Fill the disk as soon as a file of this name lies in its place."""
    replace_file = Path.replace

    def filling(path: Path, target: Path) -> Path:
        moved = replace_file(path, target)
        if target.name == name:
            leave(disk, 0)
        return moved

    monkeypatch.setattr(Path, "replace", filling)


READ_ONLY = None
RESULTS = f"results/{NETWORK}"
# What each step makes.
OUTPUTS = {
    "prepare": ["data/*"],
    "train": [f"{RESULTS}/training.csv", f"{RESULTS}/checkpoints.json"],
    "probe": [f"{RESULTS}/probe.*"],
    "distances": [f"{RESULTS}/distances.csv"],
    "figure": ["figures/*"],  # not there yet
}
# The step, how many bytes are left, or after which file none is, and which file does not fit.
WRITTEN = [
    ("prepare", 0, "digits5k.safetensors"),
    ("prepare", 1_000_000, "digits5k.safetensors"),
    ("train", 0, "rerand0.safetensors"),
    ("train", "state.safetensors", "training.csv"),
    ("train", "training.csv", "checkpoints.json"),
    ("probe", 0, "probe.missed.safetensors"),
    ("distances", 0, "distances.csv"),
    ("figure", 0, "figure1.csv"),
    ("figure", 12_288, "figure1.pdf"),
    ("figure", 65_536, "figure1.png"),
    ("prepare", READ_ONLY, "digits5k.safetensors"),
    ("train", READ_ONLY, "rerand0.safetensors"),
    ("probe", READ_ONLY, "probe.missed.safetensors"),
    ("distances", READ_ONLY, "distances.csv"),
    ("figure", READ_ONLY, "figure1.csv"),
]


@pytest.mark.parametrize(("step", "free", "file"), WRITTEN)
def test_what_cannot_be_written_is_not_there(
    steps, undisturbed, monkeypatch, capsys, step, free, file
):
    """Everything up to this step is; what was trained is taken over."""
    # Links within the results stay links: the disk is small.
    subprocess.run(["cp", "-a", undisturbed.folder / "results", steps.folder], check=True)
    for pattern in OUTPUTS[step]:
        for path in steps.folder.glob(pattern):
            path.unlink()
    before = contents(steps.folder)
    if free is READ_ONLY:
        assert mount("-o", "remount,ro", steps.folder).returncode == 0
    elif isinstance(free, str):
        filling_after(free, steps.folder, monkeypatch)
    else:
        leave(steps.folder, free)
    told = getattr(steps, step)()
    why = "Read-only file system" if free is READ_ONLY else FULL
    assert f"{file} cannot be written ({why}): check its disk" in told
    assert mount("-o", "remount,rw", steps.folder).returncode == 0
    monkeypatch.undo()
    make_room(steps.folder)
    assert not half_written(steps.folder)
    if step != "figure" and free != "training.csv":  # the files of a step are whole each
        assert contents(steps.folder) == before
    assert not getattr(steps, step)()
    assert not epochs_told(capsys.readouterr().err)
    assert all(list(steps.folder.glob(pattern)) for pattern in OUTPUTS[step])
    made, expected = contents(steps.folder), contents(undisturbed.folder)
    timed = [name for name in made if "resume" in name or name.endswith("training.csv")]
    assert all(made[name] == expected[name] for name in made.keys() - timed)

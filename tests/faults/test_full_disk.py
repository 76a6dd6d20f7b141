"""A disk that is really full, or really read-only: a small one of its own in memory."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from support.steps import Steps, contents, half_written

SIZE = 18_000_000
FULL = "No space left on device"
ONE_LINE = "one line, nothing half-written; with room again it ended with the same bytes"


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


def copy_results(undisturbed: Steps, steps: Steps) -> None:
    """Links within the results stay links: the disk is small."""
    subprocess.run(["cp", "-a", undisturbed.folder / "results", steps.folder], check=True)


def test_training_on_a_disk_that_fills_loses_no_epoch(steps, undisturbed, capsys, survived):
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
        survived("disk full", "training: checkpoint or state", ONE_LINE)
    assert done == 4 and {"epoch0", "state"} <= failed
    assert steps.weights() == undisturbed.weights()


@pytest.mark.parametrize(
    ("after", "file"),
    [
        (None, "rerand0.safetensors"),
        ("state.safetensors", "training.csv"),
        ("training.csv", "checkpoints.json"),
    ],
)
def test_a_finished_training_that_cannot_be_published_is_taken_over(
    steps, undisturbed, monkeypatch, capsys, survived, after, file
):
    """The disk fills as soon as the file before lies in its place."""
    copy_results(undisturbed, steps)
    (steps.results / "training.csv").unlink()
    steps.manifest.unlink()
    replace_file = Path.replace

    def filling(path: Path, target: Path) -> Path:
        moved = replace_file(path, target)
        if target.name == after:
            leave(steps.folder, 0)
        return moved

    monkeypatch.setattr(Path, "replace", filling)
    if after is None:
        leave(steps.folder, 0)
    told = steps.train()
    assert f"{file} cannot be written ({FULL})" in told and not half_written(steps.folder)
    monkeypatch.undo()
    make_room(steps.folder)
    assert not steps.train()
    assert not epochs_told(capsys.readouterr().err)
    assert steps.weights() == undisturbed.weights()
    assert steps.manifest.read_bytes() == undisturbed.manifest.read_bytes()
    survived("disk full", "training: fresh draw, history or manifest", ONE_LINE)


READ_ONLY = None
# The row in the table, the step, how many bytes are left, and which file does not fit.
WRITTEN = [
    ("data", "prepare", 0, "digits5k.safetensors"),
    ("data", "prepare", 1_000_000, "digits5k.safetensors"),
    ("measurements", "probe", 0, "probe.missed.safetensors"),
    ("measurements", "distances", 0, "distances.csv"),
    ("figure", "figure", 0, "figure1.csv"),
    ("figure", "figure", 12_288, "figure1.pdf"),
    ("figure", "figure", 65_536, "figure1.png"),
    ("every step", "prepare", READ_ONLY, "digits5k.safetensors"),
    ("every step", "train", READ_ONLY, "epoch0.safetensors"),
    ("every step", "probe", READ_ONLY, "probe.missed.safetensors"),
    ("every step", "distances", READ_ONLY, "distances.csv"),
    ("every step", "figure", READ_ONLY, "figure1.csv"),
]


@pytest.mark.parametrize(("where", "step", "free", "file"), WRITTEN)
def test_what_cannot_be_written_is_not_there(steps, undisturbed, survived, where, step, free, file):
    """Everything up to this step is."""
    copy_results(undisturbed, steps)
    if step == "train":
        shutil.rmtree(steps.results)
    if step == "prepare":
        shutil.rmtree(steps.data.parent)
    for path in steps.results.glob(f"{step}.*"):
        path.unlink()
    before = contents(steps.folder)
    if free is READ_ONLY:
        assert mount("-o", "remount,ro", steps.folder).returncode == 0
    else:
        leave(steps.folder, free)
    told = getattr(steps, step)()
    why = "Read-only file system" if free is READ_ONLY else FULL
    assert f"{file} cannot be written ({why}): check its disk" in told
    assert mount("-o", "remount,rw", steps.folder).returncode == 0
    make_room(steps.folder)
    if where != "figure":  # the files of a figure are whole each
        assert contents(steps.folder) == before
    assert not half_written(steps.folder)
    assert not getattr(steps, step)()
    made, expected = contents(steps.folder), contents(undisturbed.folder)
    timed = [name for name in made if "resume" in name or name.endswith("training.csv")]
    assert all(made[name] == expected[name] for name in made.keys() - timed)
    survived("folder read-only" if free is READ_ONLY else "disk full", where, ONE_LINE)

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

SIZE = 16_000_000
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


@pytest.mark.parametrize("free", [0, 4096, 1_000_000])
def test_data_that_do_not_fit_are_not_there(undisturbed, disk, survived, free):
    steps = replace(undisturbed, folder=disk)
    leave(disk, free)
    told = steps.prepare()
    assert told.startswith(f"error: {steps.data} cannot be written") and FULL in told
    assert not steps.data.parent.exists() or not contents(steps.data.parent)
    make_room(disk)
    assert not steps.prepare()
    assert contents(steps.data.parent) == contents(undisturbed.data.parent)
    survived("disk full", "data", ONE_LINE)


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
        assert FULL in told
        failed.add(re.search(r"/(\w+)\.safetensors", told)[1])
        survived("disk full", "training: checkpoint or state", ONE_LINE)
    assert done == 4 and {"epoch0", "state"} <= failed
    assert steps.weights() == undisturbed.weights()


@pytest.mark.parametrize(("free", "file"), [(0, "training.csv"), (4096, "checkpoints.json")])
def test_a_finished_training_that_cannot_be_told_of_is_taken_over(
    steps, undisturbed, capsys, survived, free, file
):
    assert not steps.train()
    for name in ("training.csv", "checkpoints.json"):
        (steps.experiment / name).unlink()
    leave(steps.folder, free)
    capsys.readouterr()
    told = steps.train()
    assert f"{file} cannot be written ({FULL})" in told and not half_written(steps.folder)
    make_room(steps.folder)
    assert not steps.train()
    assert not epochs_told(capsys.readouterr().err)
    assert steps.weights() == undisturbed.weights()
    survived("disk full", "training: history or list of checkpoints", ONE_LINE)


@pytest.mark.parametrize("step", ["probe", "joint", "distances"])
def test_rows_that_do_not_fit_are_not_there(steps, undisturbed, survived, step):
    shutil.copytree(undisturbed.experiment, steps.experiment)
    path = steps.experiment / f"{step}.csv"
    path.unlink()
    leave(steps.folder, 0)
    assert f"cannot be written ({FULL})" in getattr(steps, step)()
    assert not path.exists() and not half_written(steps.folder)
    make_room(steps.folder)
    assert not getattr(steps, step)()
    assert path.read_bytes() == (undisturbed.experiment / path.name).read_bytes()
    survived("disk full", "probe, joint, distances", ONE_LINE)


@pytest.mark.parametrize(("free", "file"), [(0, "csv"), (12_288, "pdf"), (65_536, "png")])
def test_a_figure_that_does_not_fit_stays_as_it_was(steps, undisturbed, survived, free, file):
    for name in ("probe.csv", "distances.csv"):
        steps.experiment.mkdir(parents=True, exist_ok=True)
        shutil.copy(undisturbed.experiment / name, steps.experiment)
    leave(steps.folder, free)
    told = steps.figure()
    assert f"figure1.{file} cannot be written ({FULL})" in told
    assert not half_written(steps.folder)
    make_room(steps.folder)
    assert not steps.figure()
    assert contents(steps.folder / "figures") == contents(undisturbed.folder / "figures")
    survived("disk full", "figure", ONE_LINE)


@pytest.mark.parametrize("step", ["prepare", "train", "probe", "joint", "distances", "figure"])
def test_a_read_only_folder_is_one_line(steps, undisturbed, survived, step):
    """Everything up to this step is there."""
    shutil.copytree(undisturbed.experiment, steps.experiment)
    if step == "train":
        shutil.rmtree(steps.experiment)
    else:
        (steps.experiment / f"{step}.csv").unlink(missing_ok=True)
    if step == "prepare":
        shutil.rmtree(steps.data.parent)
    before = sorted(steps.folder.rglob("*"))
    assert mount("-o", "remount,ro", steps.folder).returncode == 0
    told = getattr(steps, step)()
    assert " cannot be written (Read-only file system): check its disk" in told
    assert sorted(steps.folder.rglob("*")) == before
    assert mount("-o", "remount,rw", steps.folder).returncode == 0
    assert not getattr(steps, step)()
    assert steps.weights() == undisturbed.weights()
    survived("folder read-only", "every step", ONE_LINE)

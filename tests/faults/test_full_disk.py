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


@pytest.mark.parametrize("free", [0, 1_000_000])
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


@pytest.mark.parametrize("step", ["probe", "distances"])
def test_rows_that_do_not_fit_are_not_there(steps, undisturbed, survived, step):
    copy_results(undisturbed, steps)
    path = steps.results / f"{step}.csv"
    path.unlink()
    leave(steps.folder, 0)
    assert f"cannot be written ({FULL})" in getattr(steps, step)()
    assert not path.exists() and not half_written(steps.folder)
    make_room(steps.folder)
    assert not getattr(steps, step)()
    assert path.read_bytes() == (undisturbed.results / path.name).read_bytes()
    survived("disk full", "measurements", ONE_LINE)


@pytest.mark.parametrize(("free", "file"), [(0, "csv"), (12_288, "pdf"), (65_536, "png")])
def test_a_figure_that_does_not_fit_stays_as_it_was(steps, undisturbed, survived, free, file):
    copy_results(undisturbed, steps)
    leave(steps.folder, free)
    assert f"figure1.{file} cannot be written ({FULL})" in steps.figure()
    assert not half_written(steps.folder)
    make_room(steps.folder)
    assert not steps.figure()
    assert contents(steps.folder / "figures") == contents(undisturbed.folder / "figures")
    survived("disk full", "figure", ONE_LINE)


@pytest.mark.parametrize("step", ["prepare", "train", "probe", "distances", "figure"])
def test_a_read_only_folder_is_one_line(steps, undisturbed, survived, step):
    """Everything up to this step is there."""
    copy_results(undisturbed, steps)
    if step == "train":
        shutil.rmtree(steps.results)
    if step == "prepare":
        shutil.rmtree(steps.data.parent)
    (steps.results / f"{step}.csv").unlink(missing_ok=True)
    before = sorted(steps.folder.rglob("*"))
    assert mount("-o", "remount,ro", steps.folder).returncode == 0
    told = getattr(steps, step)()
    assert " cannot be written (Read-only file system): check its disk" in told
    assert sorted(steps.folder.rglob("*")) == before
    assert mount("-o", "remount,rw", steps.folder).returncode == 0
    assert not getattr(steps, step)()
    assert steps.weights() == undisturbed.weights()
    survived("folder read-only", "every step", ONE_LINE)

"""Whole runs that something comes in the way of: each other, the network, the disk, the clock."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import asdict, replace
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from layer_robustness.data import dataset as data
from support.checkout import ENVIRONMENT
from support.downloads import Mirror, archive, cifar10_files, md5_of, write_files
from support.snakemake_runs import copy_checkout, jobs, planned, snakemake
from support.steps import LIMITS, NETWORK, contents, half_written

FIGURE = ["paper_figures/figure1.pdf"]
SEED0 = f"results/tiny/{NETWORK}/seed0"
YEAR = 365 * 24 * 3600
STEPS = {f"{step}_mnist_fcn3x256" for step in ("train", "probe", "distances")}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A copy of the checkout with Figure 1."""
    folder = copy_checkout(tmp_path_factory.mktemp("built") / "checkout")
    assert jobs(snakemake(folder, targets=FIGURE)) == {"data", "figure1"} | STEPS
    return folder


@pytest.fixture
def checkout(built, tmp_path) -> Path:
    """A copy to be disturbed."""
    return Path(shutil.copytree(built, tmp_path / "checkout", copy_function=shutil.copy2))


def numbers(folder: Path) -> dict[str, bytes]:
    """Everything that an undisturbed run would write with the same bytes."""
    names = ("probe.csv", "distances.csv", "checkpoints.json")
    found = {name: (folder / SEED0 / name).read_bytes() for name in names}
    found["figure1.csv"] = (folder / "paper_figures/figure1.csv").read_bytes()
    return found | contents(folder / SEED0 / "checkpoints")


def test_of_two_workflows_in_one_folder_one_goes_on_and_one_says_so(checkout, built, survived):
    shutil.rmtree(checkout / "results/tiny/mnist")
    (checkout / FIGURE[0]).unlink()
    command = ["snakemake", "--configfile", "tests/support/tiny.yaml", "--cores", "1", *FIGURE]
    with subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        while not list(checkout.glob(".snakemake/locks/*")):
            assert first.poll() is None
            time.sleep(0.05)
        second = snakemake(checkout, targets=FIGURE)
    assert first.returncode == 0
    assert second.returncode == 1
    told = second.stdout + second.stderr
    assert told.count("Directory cannot be locked") == 1 and "Traceback" not in told
    assert numbers(checkout) == numbers(built)
    survived("two workflows at once", "one folder", "one went on, one said that it is locked")


@pytest.fixture(scope="module")
def commands(tmp_path_factory, recipe, few_digits):
    """Commands that train and measure three seeds in a folder, with so many workers."""
    file = tmp_path_factory.mktemp("data") / "few.safetensors"
    data.save(few_digits, file)
    longer = replace(recipe, epochs=30, checkpoints=(0, 1, 30))
    recipes = {NETWORK: {"seeds": [0, 1, 2], **asdict(longer)}}
    names = [f"{NETWORK}/seed{seed}" for seed in range(3)]

    def made(results: Path, workers: int = 1) -> dict[str, list]:
        where = ("--results", results, "--workers", workers)
        on_data = ("--data", file, "--device", "cpu")
        summary = ("--summary", file.with_suffix(".json"))
        return {
            "train": ["train", "--recipes", json.dumps(recipes), *where, *on_data],
            "probe": ["probe", *names, *LIMITS, *where, *on_data],
            "distances": ["distances", *names, *LIMITS[:2], *where, *summary],
        }

    return made


@pytest.fixture(scope="module")
def alone(tmp_path_factory, commands) -> dict[str, bytes]:
    """What they write with one thread and one worker, one after the other."""
    results = tmp_path_factory.mktemp("alone")
    for command in commands(results).values():
        assert started(command).wait() == 0
    return written(results)


def written(results: Path) -> dict[str, bytes]:
    """All that is promised to be the same; a history has seconds in it."""
    paths = [path for path in results.rglob("*") if path.is_file() and "resume" not in path.parts]
    return {
        str(path.relative_to(results)): path.read_bytes()
        for path in paths
        if path.name != "training.csv"
    }


def started(command: list, **environment: str) -> subprocess.Popen:
    name, *arguments = map(str, command)
    return subprocess.Popen(
        [sys.executable, "-m", f"layer_robustness.commands.{name}", *arguments],
        env=ENVIRONMENT | environment,
        stderr=subprocess.DEVNULL,
    )


def test_commands_at_once_in_one_folder_end_with_the_same_bytes(
    tmp_path, commands, alone, survived
):
    for name, command in commands(tmp_path).items():
        both = [started(command) for _ in range(2)]
        assert [process.wait() for process in both] == [0, 0]
        survived("two commands at once", name, "both succeeded; the same bytes")
    assert written(tmp_path) == alone
    assert not half_written(tmp_path)


def test_neither_threads_nor_workers_change_a_bit(tmp_path, commands, alone, survived):
    for name, command in commands(tmp_path, workers=3).items():
        assert started(command, OMP_NUM_THREADS="4", MKL_NUM_THREADS="4").wait() == 0
        survived("4 threads, 3 workers", name, "the same bytes")
    assert written(tmp_path) == alone


def set_times(folder: Path, moment: float) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (moment, moment), follow_symlinks=False)


def test_a_clock_that_was_set_on_since_changes_nothing(checkout, built, survived):
    set_times(checkout, time.time() - 20 * YEAR)
    assert planned(checkout, targets=FIGURE) == set()
    (checkout / FIGURE[0]).unlink()
    assert jobs(snakemake(checkout, targets=FIGURE)) == {"figure1"}
    assert planned(checkout, targets=FIGURE) == set()
    assert numbers(checkout) == numbers(built)
    survived("files 20 years old", "a workflow", "nothing was computed again")


def test_a_clock_that_was_set_back_since_is_told_and_recomputes_nothing(checkout, built, survived):
    """Snakemake refuses to make a file that would be older than what it is made of."""
    set_times(checkout, time.time() + 10 * YEAR)
    assert planned(checkout, targets=FIGURE) == set()
    (checkout / FIGURE[0]).unlink()
    run = snakemake(checkout, targets=FIGURE)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "This could indicate a clock skew problem" in run.stderr
    set_times(checkout, time.time())
    assert jobs(snakemake(checkout, targets=FIGURE)) == {"figure1"}
    assert numbers(checkout) == numbers(built)
    survived("files of the future", "a workflow", "Snakemake's clock skew error; once touched, on")


def test_a_changed_digit_is_not_drawn_and_the_remedy_works(checkout, built, survived):
    path = checkout / SEED0 / "probe.csv"
    text = path.read_text()
    digit = re.search(r"^layer2,0,0,0\.(\d)", text, re.M)
    path.write_text(text[: digit.start(1)] + "9" + text[digit.end(1) :])
    (checkout / FIGURE[0]).unlink()
    run = snakemake(checkout, targets=FIGURE)
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert f"error: {SEED0}/probe.csv does not match its own checksum" in run.stderr
    path.unlink()
    assert jobs(snakemake(checkout, targets=FIGURE)) == {"probe_mnist_fcn3x256", "figure1"}
    assert numbers(checkout) == numbers(built)
    survived("digit changed", "a workflow", "one line; the next run made it again")


SUBSTITUTED = """
datasets.MNIST.mirrors = [{server!r}]
datasets.MNIST.resources = {resources!r}
datasets.CIFAR10.url = {server!r} + "cifar-10-python.tar.gz"
datasets.CIFAR10.tgz_md5 = {archive_md5!r}
datasets.CIFAR10.train_list = [[name, {md5!r}[name]] for name, _ in datasets.CIFAR10.train_list]
datasets.CIFAR10.test_list = [["test_batch", {md5!r}["test_batch"]]]
datasets.CIFAR10.meta = datasets.CIFAR10.meta | {{"md5": {md5!r}["batches.meta"]}}
"""


@pytest.fixture(scope="module")
def with_mirror(tmp_path_factory):
    """A copy of the checkout that downloads small files from this machine, for a second at most."""
    folder = copy_checkout(tmp_path_factory.mktemp("downloads") / "checkout")
    images = cifar10_files()
    files = write_files(folder.parent / "files")
    resources = [(name, md5_of(content)) for name, content in files.items()]
    files["cifar-10-python.tar.gz"] = archive(images)
    Mirror.files = files
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sources = folder / "src/layer_robustness/data/sources.py"
        sources.write_text(
            sources.read_text()
            + SUBSTITUTED.format(
                server=f"http://127.0.0.1:{server.server_port}/",
                resources=resources,
                archive_md5=md5_of(files["cifar-10-python.tar.gz"]),
                md5={name: md5_of(content) for name, content in images.items()},
            )
        )
        command = folder / "src/layer_robustness/commands/data.py"
        command.write_text(command.read_text().replace("timeout(60)", "timeout(1)"))
        yield folder
        server.shutdown()


def test_a_download_that_goes_wrong_is_told_and_the_next_run_succeeds(
    with_mirror, monkeypatch, survived
):
    """Other faults, and without a workflow: test_data.py."""
    downloads = [f"results/data/{source}.json" for source in ("mnist", "cifar10")]
    folder = with_mirror / "results/data"
    for fault in ("stalled", "other bytes"):
        monkeypatch.setattr(Mirror, "fault", fault)
        run = snakemake(with_mirror, "--keep-going", config=[], targets=downloads)
        told = run.stdout + run.stderr
        assert run.returncode == 1 and "Traceback" not in told
        for source in ("mnist", "cifar10"):
            assert re.search(rf"^\s*error: {source}: .* could not be downloaded", told, re.M), told
        assert [path.name for path in folder.iterdir()] == ["logs"]
        survived(f"download {fault}", "MNIST, CIFAR10", "one line; the next run succeeded", times=2)
    monkeypatch.setattr(Mirror, "fault", "")
    assert jobs(snakemake(with_mirror, config=[], targets=downloads)) == {"data"}
    assert len(contents(folder)) == 4


def test_a_workflow_on_a_full_disk_says_so_and_goes_on_with_room(tmp_path, built, survived):
    folder = copy_checkout(tmp_path / "checkout")
    results = folder / "results"
    size = ["mount", "-t", "tmpfs", "-o"]
    tried = subprocess.run([*size, "size=2m", "tmpfs", results], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"no disk can be mounted here: {tried.stderr.strip()}")
    target = ["results/data/digits5k.json"]
    try:
        run = snakemake(folder, targets=target)
        assert run.returncode == 1 and "Traceback" not in run.stdout + run.stderr
        assert "digits5k.safetensors cannot be written (" in run.stderr
        assert "No space left on device" in run.stderr
        assert not half_written(results)
        subprocess.run([*size, "remount,size=50m", "tmpfs", results], check=True)
        assert jobs(snakemake(folder, targets=target)) == {"data"}
        assert contents(results / "data") == contents(built / "results/data")
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)
    survived("disk full", "a workflow", "one line; with room the next run went on")

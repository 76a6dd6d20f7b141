"""Whole runs that something comes in the way of: each other, the network, the disk, the clock."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import ThreadingHTTPServer
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest
import torch

from layer_robustness.data import dataset as data
from layer_robustness.experiments.flags import as_flags
from support.downloads import Mirror, md5_of, write_files
from support.snakemake_runs import copy_checkout, jobs, planned, snakemake
from support.steps import NETWORK, contents, ended, half_written

FIGURE = ["paper_figures/tiny/figure1.pdf"]
DISTANCES = [f"results/tiny/{NETWORK}/distances.csv"]
YEAR = 365 * 24 * 3600


def numbers(folder: Path) -> dict[str, bytes]:
    """Everything that an undisturbed run would write with the same bytes."""
    results = folder / "results/tiny" / NETWORK
    found = {name: (results / name).read_bytes() for name in ("distances.csv", "checkpoints.json")}
    found["figure1.csv"] = (folder / "paper_figures/tiny/figure1.csv").read_bytes()
    return found | contents(results / "checkpoints")


def test_of_two_workflows_in_one_folder_one_goes_on_and_one_says_so(checkout, built, survived):
    shutil.rmtree(checkout / "results/tiny/mnist")
    command = ["snakemake", *DISTANCES, "--configfile=tests/support/tiny.yaml", "--cores", "1"]
    with subprocess.Popen(
        command, cwd=checkout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as first:
        while not list(checkout.glob(".snakemake/locks/*")):
            assert first.poll() is None
            time.sleep(0.05)
        second = snakemake(checkout, targets=DISTANCES)
    assert first.returncode == 0
    assert second.returncode == 1
    told = second.stdout + second.stderr
    assert told.count("Directory cannot be locked") == 1 and "Traceback" not in told
    assert numbers(checkout) == numbers(built)
    survived("two workflows at once", "one folder", "one went on, one said that it is locked")


@pytest.fixture(scope="module")
def commands(tmp_path_factory, recipe, few_digits) -> Callable[..., dict[str, list]]:
    """Commands that train and measure three seeds in a folder, with so many workers."""
    file = tmp_path_factory.mktemp("data") / "few.safetensors"
    data.save(few_digits, file)

    def made(folder: Path, workers: int = 1) -> dict[str, list]:
        manifest = folder / NETWORK / "checkpoints.json"
        on_data = ("--data", file, "--device", "cpu", "--workers", workers)
        trained = ("--manifest", manifest, "--seeds", 3, "--draws", 2, *as_flags(recipe).split())
        output = [manifest, "--output"]
        return {
            "train": ["train", NETWORK, *on_data, *trained],
            "probe": ["probe", *output, folder / NETWORK / "probe.csv", *on_data, "--memory", 1],
            "distances": ["distances", *output, folder / NETWORK / "distances.csv"],
        }

    return made


def be(command: list, threads: int) -> None:
    """Be a command that may use so many threads."""
    torch.set_num_threads(threads)
    sys.exit(ended(*command) or 0)


def started(command: list, threads: int = 1) -> ForkProcess:
    process = multiprocessing.get_context("fork").Process(target=be, args=(command, threads))
    process.start()
    return process


def done(*processes: ForkProcess) -> None:
    for process in processes:
        process.join()
    assert not any(process.exitcode for process in processes)


@pytest.fixture(scope="module")
def alone(tmp_path_factory, commands) -> dict[str, bytes]:
    """What they write with one thread and one worker, one after the other."""
    folder = tmp_path_factory.mktemp("alone")
    assert not any(ended(*command) for command in commands(folder).values())
    return written(folder)


def written(folder: Path) -> dict[str, bytes]:
    """All that is promised to be the same; a history has seconds in it."""
    found = contents(folder / NETWORK)
    return {k: v for k, v in found.items() if "resume" not in k and k != "training.csv"}


def test_commands_at_once_in_one_folder_end_with_the_same_bytes(
    tmp_path, commands, alone, survived
):
    for name, command in commands(tmp_path).items():
        done(started(command), started(command))
        survived("two commands at once", name, "both succeeded; the same bytes")
    assert written(tmp_path) == alone
    assert not half_written(tmp_path)


def test_neither_threads_nor_workers_change_a_bit(tmp_path, commands, alone, survived):
    for name, command in commands(tmp_path, workers=3).items():
        done(started(command, threads=4))
        survived("4 threads, 3 workers", name, "the same bytes")
    assert written(tmp_path) == alone


def set_times(folder: Path, moment: float) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (moment, moment), follow_symlinks=False)


def test_a_clock_that_was_set_on_since_changes_nothing(checkout, built, survived):
    set_times(checkout, time.time() - 20 * YEAR)
    assert planned(checkout, targets=FIGURE) == set()
    (checkout / FIGURE[0]).unlink()
    assert jobs(snakemake(checkout, targets=FIGURE)) == {"figure"}
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
    assert jobs(snakemake(checkout, targets=FIGURE)) == {"figure"}
    assert numbers(checkout) == numbers(built)
    survived("files of the future", "a workflow", "Snakemake's clock skew error; once touched, on")


SUBSTITUTED = """
datasets.MNIST.mirrors = [{server!r}]
datasets.MNIST.resources = {resources!r}
"""


@pytest.fixture
def with_mirror(tmp_path):
    """A copy of the checkout that downloads small files from this machine, for a second at most."""
    folder = copy_checkout(tmp_path / "checkout")
    Mirror.files = write_files(tmp_path / "files")
    resources = [(name, md5_of(content)) for name, content in Mirror.files.items()]
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/"
        with (folder / "src/layer_robustness/data/sources.py").open("a") as sources:
            sources.write(SUBSTITUTED.format(server=address, resources=resources))
        command = folder / "src/layer_robustness/commands/data.py"
        command.write_text(command.read_text().replace("timeout(60)", "timeout(1)"))
        yield folder
        server.shutdown()


def test_a_download_that_goes_wrong_is_told_and_the_next_run_succeeds(
    with_mirror, monkeypatch, survived
):
    """Other faults, other data, and without a workflow: test_data.py."""
    target = ["results/data/mnist.json"]
    folder = with_mirror / "results/data"
    for fault in ("stalled", "other bytes"):
        monkeypatch.setattr(Mirror, "fault", fault)
        run = snakemake(with_mirror, config=[], targets=target)
        told = run.stdout + run.stderr
        assert run.returncode == 1 and "Traceback" not in told
        assert re.search(r"^\s*error: mnist: .* could not be downloaded", told, re.M), told
        assert [path.name for path in folder.iterdir()] == ["logs"]
        survived(f"download {fault}", "MNIST", "one line; the next run succeeded")
    monkeypatch.setattr(Mirror, "fault", "")
    assert jobs(snakemake(with_mirror, config=[], targets=target)) == {"data"}
    assert len(list(folder.glob("mnist.*"))) == 2


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
        for suffix in (".json", ".safetensors"):
            made = (folder / target[0]).with_suffix(suffix)
            assert made.read_bytes() == (built / target[0]).with_suffix(suffix).read_bytes()
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)
    survived("disk full", "a workflow", "one line; with room the next run went on")

"""Whole runs that something comes in the way of: each other, a kill, the clock."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pytest
import torch

from layer_robustness.data import dataset as data
from layer_robustness.runtime import machine
from support.processes import Forked
from support.snakemake_runs import configured, jobs, planned, snakemake
from support.steps import NETWORK, Steps, contents, half_written

FIGURE = "paper_figures/tiny/figure1"
RESULTS = f"results/tiny/{NETWORK}"
SEED = "checkpoints/fcn3x256/seed0"
YEAR = 365 * 24 * 3600


def test_of_two_workflows_one_says_so_and_one_that_is_killed_goes_on(checkout, built):
    """The first is killed, with its job, between two seeds; the finished one is kept."""
    shutil.rmtree(checkout / RESULTS)
    config = configured(checkout, {"training": {NETWORK: {"seeds": 2}}})
    target, last = f"{RESULTS}/checkpoints.json", "resume/fcn3x256/seed1/epoch0.safetensors"
    command = ["snakemake", target, *config, "--cores", "1"]
    with subprocess.Popen(
        command, cwd=checkout, start_new_session=True, stderr=subprocess.DEVNULL
    ) as first:
        while not list(checkout.glob(".snakemake/locks/*")):
            assert first.poll() is None
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGSTOP)  # it has the lock until the second has looked
        second = snakemake(checkout, config=config, targets=[target])
        os.killpg(first.pid, signal.SIGCONT)
        while not (checkout / RESULTS / last).exists():
            assert first.poll() is None
            time.sleep(0.01)
        os.killpg(first.pid, signal.SIGKILL)
    told = second.stdout + second.stderr
    assert second.returncode == 1 and "Traceback" not in told
    assert told.count("Directory cannot be locked") == 1
    assert snakemake(checkout, "--unlock", config=config, targets=[]).returncode == 0
    assert jobs(snakemake(checkout, config=config, targets=[target])) == {"train"}
    log = (checkout / f"results/tiny/logs/train/{NETWORK}.log").read_text()
    assert f"{NETWORK}/seed0 epoch" not in log and f"{NETWORK}/seed1 epoch" in log
    assert contents(checkout / RESULTS / SEED) == contents(built / RESULTS / SEED)


def be(step: Callable[[], str], threads: int) -> None:
    """Be a command that may use so many threads."""
    torch.set_num_threads(threads)
    sys.exit(step() or 0)


def written(steps: Steps) -> dict[str, bytes]:
    """All that is promised to be the same; a history has seconds in it."""
    found = contents(steps.results)
    return {k: v for k, v in found.items() if "resume" not in k and k != "training.csv"}


STEPS = ("train", "probe", "distances")


@pytest.fixture(scope="module")
def alone(tmp_path_factory, recipe, few_digits) -> Steps:
    """Three seeds, trained and measured with one thread and one worker, step after step."""
    steps = Steps(tmp_path_factory.mktemp("alone"), recipe, seeds=3)
    data.save(few_digits, steps.data)
    with patch.object(machine, "cpus", lambda: 1):
        assert not any(getattr(steps, name)() for name in STEPS)
    return steps


@pytest.mark.parametrize(
    ("times", "threads", "workers"), [(2, 1, 1), (1, 4, 3)], ids=["two at once", "others"]
)
def test_neither_company_nor_threads_nor_workers_change_a_bit(
    tmp_path, alone, monkeypatch, times, threads, workers
):
    monkeypatch.setattr(machine, "cpus", lambda: workers)
    steps = replace(alone, folder=tmp_path)
    shutil.copytree(alone.data.parent, steps.data.parent)
    for name in STEPS:
        command = partial(be, getattr(steps, name), threads)
        running = [Forked(command, (), tmp_path / f"{name}{number}.log") for number in range(times)]
        assert not any(each.wait() for each in running)
    assert written(steps) == written(alone)
    assert not half_written(tmp_path)


def set_times(folder: Path, moment: float) -> None:
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (moment, moment), follow_symlinks=False)


def test_a_clock_that_was_set_is_told_at_most_and_recomputes_nothing(checkout, built):
    """Snakemake refuses to make a file that would be older than what it is made of."""
    for years in (-20, 10):
        set_times(checkout, time.time() + years * YEAR)
        assert planned(checkout, targets=[f"{FIGURE}.pdf"]) == set()
    (checkout / f"{FIGURE}.pdf").unlink()
    run = snakemake(checkout, targets=[f"{FIGURE}.pdf"])
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "This could indicate a clock skew problem" in run.stderr
    set_times(checkout, time.time())
    assert jobs(snakemake(checkout, targets=[f"{FIGURE}.pdf"])) == {"figure"}
    assert contents(checkout / RESULTS) == contents(built / RESULTS)
    assert (checkout / f"{FIGURE}.csv").read_bytes() == (built / f"{FIGURE}.csv").read_bytes()


def test_a_network_that_diverges_is_shown_as_such(tmp_path, recipe):
    few = replace(recipe, learning_rate=1000.0, epochs=1, checkpoints=(0, 1), milestones=())
    steps = Steps(tmp_path, few)
    steps.all()
    cells = pd.read_csv(tmp_path / "figures/figure1.csv")
    assert cells["value"].isna().all() and set(cells["did_not_train"]) == {1}

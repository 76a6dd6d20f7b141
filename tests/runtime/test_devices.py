"""Which device a step computes on; no test needs a GPU."""

import os
import re
import tempfile
import time
from collections import Counter

import pytest
import torch

from layer_robustness.commands import train
from layer_robustness.runtime.devices import choose, chosen
from layer_robustness.runtime.errors import InputError
from support.processes import FORK
from support.steps import ended
from support.training import train_arguments

ENOUGH = 20  # seconds for a forked process to take a GPU


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Let torch find so many GPUs, which nobody but this test's processes knows of."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "set_device", lambda index: None)

    def found(count: int) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: count)

    return found


class Job:
    """A process that has taken a device and works on it until it is killed."""

    def __init__(self, task=lambda: str(choose("auto")), **environment):
        self.heard, self.said = FORK.Pipe(duplex=False)
        self.process = FORK.Process(target=self.run, args=(task, environment), daemon=True)
        self.process.start()

    def run(self, task, environment) -> None:
        os.environ.update(environment)
        self.said.send(task())
        time.sleep(600)

    @property
    def device(self) -> str:
        assert self.heard.poll(ENOUGH)
        return self.heard.recv()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


@pytest.fixture
def job():
    """Start jobs, which end with the test."""
    jobs = []

    def start(*arguments, **environment) -> Job:
        jobs.append(Job(*arguments, **environment))
        return jobs[-1]

    yield start
    for each in jobs:
        each.kill()


def test_jobs_that_start_at_the_same_time_take_a_gpu_each_and_then_share_evenly(gpus, job):
    gpus(3)
    ready = FORK.Barrier(6)

    def task() -> str:
        ready.wait(ENOUGH)
        return str(choose("auto"))

    jobs = [job(task) for _ in range(6)]
    assert Counter(each.device for each in jobs) == {"cuda:0": 2, "cuda:1": 2, "cuda:2": 2}


def test_a_killed_job_leaves_its_gpu_to_the_next_one(gpus, job):
    gpus(2)
    first = job()
    assert first.device == "cuda:0"
    assert job().device == "cuda:1"
    first.kill()
    assert job().device == "cuda:0"


def test_a_process_stays_on_its_gpu_unless_it_names_another(gpus, job):
    gpus(4)
    asked = ["auto", "cuda", "cuda:2", "cuda:2", "auto"]
    stays = job(lambda: [str(choose(name)) for name in asked])
    assert stays.device == ["cuda:0", "cuda:0", "cuda:2", "cuda:2", "cuda:0"]
    assert [job().device for _ in range(3)] == ["cuda:1", "cuda:3", "cuda:0"]


def test_a_network_is_probed_on_the_gpu_where_it_lies(gpus, job, monkeypatch):
    """Its caller's current GPU is current again behind that."""
    gpus(3)
    current = [1]
    monkeypatch.setattr(torch.cuda, "_exchange_device", lambda to: current.append(to) or 1)
    monkeypatch.setattr(torch.cuda, "_maybe_exchange_device", current.append)

    def task() -> list:
        found = []
        for name, home in [("auto", "cuda:2"), ("cuda:0", "cuda:2"), ("cpu", "cuda:2")]:
            with chosen(name, torch.device(home)) as device:
                found.append((str(device), current[-1]))
        return [*found, current[-1]]

    assert job(task).device == [("cuda:2", 2), ("cuda:0", 0), ("cpu", 1), 1]


def test_a_gpu_is_known_by_its_name_among_those_that_a_job_may_use(gpus, job):
    gpus(2)
    assert job(CUDA_VISIBLE_DEVICES="2,3").device == "cuda:0"
    assert job(CUDA_VISIBLE_DEVICES="2,GPU-4a/1").device == "cuda:1"
    assert job(CUDA_VISIBLE_DEVICES="GPU-4a/1,3").device == "cuda:1"


@pytest.fixture
def arguments(tmp_path, recipe) -> list[str]:
    return train_arguments(tmp_path, tmp_path, recipe, "imagenet/resnet18")


def launched(count: int, arguments: list[str], monkeypatch) -> str | None:
    """What processes see that train together, which are not started; or the line of an error."""
    seen = []
    monkeypatch.setattr(
        train, "run_as_ranks", lambda *_: seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
    )
    told = ended("train", *arguments, "--processes", count, "--device", "auto")
    return told or seen[0]


def test_processes_that_train_together_see_free_gpus_and_take_the_one_of_their_rank(
    gpus, job, arguments, monkeypatch
):
    gpus(3)
    assert job(CUDA_VISIBLE_DEVICES="5,6,7").device == "cuda:0"
    together = job(lambda: launched(2, arguments, monkeypatch), CUDA_VISIBLE_DEVICES="5,6,7")
    assert together.device == "6,7"
    for rank in "01":
        child = job(CUDA_VISIBLE_DEVICES="6,7", LOCAL_RANK=rank)
        assert child.device == f"cuda:{rank}"
    assert job(CUDA_VISIBLE_DEVICES="7,5").device == "cuda:0"  # the ranks took none themselves


def test_more_processes_than_gpus_are_refused_before_any_starts(gpus, arguments, monkeypatch):
    gpus(1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    told = launched(4, arguments, monkeypatch)
    assert re.match(r"error: 4 processes .* of its own, .* 1 \(5\): .*gpu=4", told)


def test_a_gpu_that_is_asked_for_has_to_be_there(gpus, arguments, monkeypatch):
    gpus(0)
    assert launched(4, arguments, monkeypatch) is None
    assert choose("auto") == choose("cpu") == torch.device("cpu")
    for name in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match=f"device is {name}, but torch finds no GPU: set dev"):
            choose(name)
    gpus(2)
    with pytest.raises(InputError, match="device is cuda:2, but torch finds 2 GPUs: set device to"):
        choose("cuda:2")


def test_locks_lie_in_no_folder_that_somebody_else_leads_elsewhere(gpus, tmp_path):
    gpus(1)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"layer-robustness-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="is not a folder of yours: remove it, or set TMPDIR"):
        choose("auto")
    assert list((tmp_path / "elsewhere").iterdir()) == []

"""Memory that runs out, or a process that the system kills for it: one line, and what to lower."""

import multiprocessing
import os
import signal
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch
from torch import nn

from layer_robustness.commands import distances
from layer_robustness.data import dataset as data
from layer_robustness.data import imagefolder
from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.sources import halved
from layer_robustness.experiments.flags import as_flags
from layer_robustness.runtime import machine
from support.image_folders import write_images
from support.steps import Steps, ended
from support.stochastic import SETTINGS
from support.training import NETWORK
from support.training import trained as trained_by

FCN, RESNET = "mnist/fcn3x256", "mnist/resnet4^2"
LESS = "run on fewer --cores, or ask for more mem_mb"
CUDA = """CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.10 GiB
of which 1.20 GiB is free. See documentation for Memory Management"""


def on_a_gpu(*_):
    raise torch.OutOfMemoryError(CUDA)


def in_a_library(*_):
    raise RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`")


def on_a_cpu(*_):
    torch.empty(2**47)


def in_python(*_):
    bytearray(2**60)


OF_GPU = "error: the GPU's memory ran out"
OF_CPU = "error: memory ran out"
FAILURES = {
    on_a_gpu: f"{OF_GPU} (tried to allocate 2.00 GiB): lower {{keys}}",
    in_a_library: f"{OF_GPU}: lower {{keys}}",
    on_a_cpu: f"{OF_CPU} (tried to allocate {2**49} bytes): lower {{keys}}, {LESS}",
    in_python: f"{OF_CPU}: lower {{keys}}, {LESS}",
}
PROBING = "probe.memory_gb or probe.draws"
# The keys that bound what each step needs.
KEYS = {"train": f"training.batch_size of {FCN}", "probe": PROBING, "joint": PROBING}


@pytest.mark.parametrize(
    ("step", "failure"),
    [*(("probe", failure) for failure in FAILURES), ("train", on_a_gpu), ("joint", on_a_cpu)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_memory_that_runs_out_is_one_line(steps, monkeypatch, step, failure):
    """Raised where the step computes, by whatever asks for memory."""
    steps = replace(steps, seeds=3) if step == "train" else steps
    monkeypatch.setattr(nn.Linear, "forward", failure)
    assert getattr(steps, step)() == FAILURES[failure].format(keys=KEYS[step])


def test_distances_that_run_out_of_memory_are_one_line(steps, monkeypatch):
    """No key bounds what they need: one state at a time."""
    monkeypatch.setattr(distances, "distances", in_python)
    assert steps.distances() == f"{OF_CPU}: {LESS}"


def test_attacks_that_run_out_of_memory_are_one_line(tmp_path, few_digits, deep, monkeypatch):
    images = [halved(part) for part in (few_digits.train_images, few_digits.test_images)]
    labels = few_digits.train_labels, few_digits.test_labels
    data.save(from_splits("few", *zip(images, labels, strict=True)), tmp_path / "few.safetensors")
    recipe = as_flags(deep).split()
    manifest = tmp_path / "checkpoints.json"
    where = ("--data", tmp_path / "few.safetensors", "--device", "cpu")
    assert not ended("train", RESNET, "--manifest", manifest, "--draws", 2, *recipe, *where)
    monkeypatch.setattr(nn.Conv2d, "forward", on_a_gpu)
    settings = ("--draws", 2, "--replaced", 0, *as_flags(SETTINGS).split())
    told = ended("attack", manifest, "--output", tmp_path / "adversarial.csv", *settings, *where)
    assert told == FAILURES[on_a_gpu].format(keys="adversarial.batch_size")


def test_another_error_keeps_its_traceback(steps, monkeypatch):
    """It is no want of memory, and nothing that a key can mend."""

    def fail(*_):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(nn.Linear, "forward", fail)
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        steps.probe()


def killed(*_):
    assert multiprocessing.parent_process() is not None, "not in a worker"
    os.kill(os.getpid(), signal.SIGKILL)


def crashed(*_):
    assert multiprocessing.parent_process() is not None, "not in a worker"
    os._exit(1)


def in_two_workers(steps: Steps) -> str:
    """Train two seeds more."""
    with patch.object(machine, "cpus", lambda: 2):
        return replace(steps, seeds=4).train()


KILLED = "error: a process was killed, most likely because memory ran out: "
IN_WORKERS = {
    killed: f"{KILLED}lower training.batch_size, {LESS}",
    on_a_cpu: FAILURES[on_a_cpu].format(keys=KEYS["train"]),
}


@pytest.mark.parametrize("failure", IN_WORKERS, ids=lambda failure: failure.__name__)
def test_memory_that_runs_out_in_a_worker_is_one_line(steps, monkeypatch, failure):
    monkeypatch.setattr(nn.Linear, "forward", failure)
    assert in_two_workers(steps) == IN_WORKERS[failure]


def test_a_worker_that_crashes_is_not_told_of_as_killed(steps, monkeypatch):
    monkeypatch.setattr(nn.Linear, "forward", crashed)
    with pytest.raises(RuntimeError, match="terminated abruptly"):
        in_two_workers(steps)


DECODING = {killed: KILLED, in_python: f"{OF_CPU}: "}


@pytest.mark.parametrize("failure", DECODING, ids=lambda failure: failure.__name__)
def test_decoding_that_runs_out_of_memory_is_one_line(tmp_path, deep, monkeypatch, failure):
    """In preparing the images, and in training on them."""
    images, network = write_images(tmp_path / "images"), "imagenet/resnet18"
    prepared, images = tmp_path / "data/imagenet.safetensors", ("--images", images)
    assert not ended("data", "imagenet", prepared, *images)
    monkeypatch.setattr(imagefolder, "default_loader", failure)
    told = ended("data", "imagenet", tmp_path / "again.safetensors", *images)
    assert told == DECODING[failure] + LESS
    assert not multiprocessing.active_children(), "the command would wait for them for ever"
    recipe = replace(deep, batch_size=4, augmentation="resized_crop_flip")
    where = ("--data", prepared, "--manifest", tmp_path / "checkpoints.json", "--device", "cpu")
    told = ended("train", network, *as_flags(recipe).split(), *where, *images)
    assert told == f"{DECODING[failure]}lower training.batch_size of {network}, {LESS}"


@pytest.mark.parametrize("batch_size", [7, 64])
def test_testing_takes_no_more_images_at_once_than_training(
    few_digits, recipe, monkeypatch, batch_size
):
    """So that a smaller batch_size helps wherever an epoch's memory ran out."""
    seen, normalize = [], Dataset.normalize

    def counted(self, images, dtype):
        seen.append(len(images))
        return normalize(self, images, dtype)

    monkeypatch.setattr(Dataset, "normalize", counted)
    few = replace(recipe, epochs=1, checkpoints=(0, 1), batch_size=batch_size)
    trained_by(NETWORK.seed(0), few, few_digits)
    assert max(seen) == batch_size and sum(seen) == 320 + 200

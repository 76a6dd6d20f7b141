"""Shared fixtures: real digits, a small recipe, and networks that are not FCNs."""

from dataclasses import replace

import pytest
import torch

from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.sources import digits5k
from layer_robustness.experiments.recipe import Recipe
from support import browser as chromium


def pytest_addoption(parser):
    told = "how often training, and half as often each probe, is killed at random moments"
    parser.addoption("--kills", type=int, default=6, help=told)


@pytest.fixture(scope="session")
def kills(pytestconfig) -> int:
    return pytestconfig.getoption("kills")


def pytest_collection_modifyitems(items):
    """Begin with what takes longest: SLURM, which is waited for, then runs of Snakemake and faults.

    Leave the GPU to the end, real or simulated: where a device is known, going backward starts
    threads, and PyTorch does not go backward in a process that is forked from one that has such.
    """
    order = ("test_slurm", "tests/workflow", "tests/faults")

    def place(item) -> int:
        if "runtime/test_gpu" in item.nodeid:
            return len(order) + 1
        return next((n for n, part in enumerate(order) if part in item.nodeid), len(order))

    items.sort(key=place)


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits() -> Dataset:
    return digits5k()


@pytest.fixture(scope="session")
def few_digits(digits) -> Dataset:
    """320 training and 200 test digits, every class in both."""
    few = from_splits(
        "few_digits",
        (digits.train_images[::12][:320], digits.train_labels[::12][:320]),
        (digits.test_images[::5], digits.test_labels[::5]),
    )
    return replace(few, sha256="few")


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    return Recipe(
        epochs=4,
        batch_size=64,
        learning_rate=0.05,
        milestones=(2,),
        factor=0.2,
        momentum=0.9,
        weight_decay=0.0,
        checkpoints=(0, 1, 2, 4),
        initial_law="uniform_fan_in",
        width=1.0,
        augmentation="none",
        precision="float32",
    )


@pytest.fixture(scope="session")
def deep(recipe) -> Recipe:
    """One epoch of any network, an eighth as wide."""
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1), milestones=(), learning_rate=0.02)
    return replace(recipe, width=0.125, initial_law="lecun_normal")


@pytest.fixture(scope="session")
def browser():
    with chromium.started() as started:
        yield started

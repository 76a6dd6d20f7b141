"""Stopped at any moment, by a signal that asks or by one that kills: nothing is lost or trained twice."""

import csv
import random
import re
import signal
import time
from collections import defaultdict
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from forked import Forked
from layer_robustness import adversarial, data, interruption, tensorfile, training, unfinished
from layer_robustness.adversarial import Settings, Trial, adversarial_rows
from layer_robustness.checkpoints import TrainedNetwork, TrainingFolder
from layer_robustness.commands import joint, probe, train
from layer_robustness.commands.train import train_alone
from layer_robustness.ensemble import Stack
from layer_robustness.experiments import parse_experiment, parse_network
from layer_robustness.interruption import EXIT_STATUS, Interrupted
from test_checkpoints import train_arguments, weights
from test_imagefolder import write_images

ASKING = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
KILLS = 50
EPOCHS = 90
NETWORKS = ["mnist/fcn3x32", "mnist/fcn2x64"]


@pytest.fixture
def long_recipe(recipe):
    """Seconds of training, for moments to be drawn from."""
    return replace(recipe, epochs=EPOCHS, checkpoints=(0, 1, 2, 20, EPOCHS))


def history(folder: Path) -> list[dict]:
    """Rows of training.csv without the seconds, which are never the same."""
    with (folder / "training.csv").open() as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same(first: Path, second: Path) -> None:
    """Checkpoints byte for byte, and the history."""
    assert weights(first) == weights(second)
    assert history(first) == history(second)


def epochs_told(log: Path) -> dict[str, list[int]]:
    """Epochs that a log tells of, by experiment."""
    told = defaultdict(list)
    for name, epoch in re.findall(r"^(\S+) epoch (\d+)/", log.read_text(), re.M):
        told[name].append(int(epoch))
    return told


def stopped_at_random(start, log, number, stops, longest, everyone=True) -> int:
    """Start a command until it ends by itself, and stop it up to so many times; how often it was.

    What stops a command leaves status 75 or, of a signal that kills, its negative number.
    """
    moments = random.Random(f"{number} {stops}")
    stopped = 0
    while True:
        command = start()
        if stopped == stops:
            assert command.wait() == 0, log.read_text()
            return stopped
        time.sleep(moments.uniform(0, longest))
        status = command.stop(number, everyone)
        if status == 0:
            return stopped
        assert status in (EXIT_STATUS, -number), log.read_text()
        assert (status == -signal.SIGKILL) == (number == signal.SIGKILL), log.read_text()
        stopped += 1


def assert_family_is_the_same(first: Path, second: Path) -> None:
    for network in NETWORKS:
        for seed in range(2):
            assert_same(*(run / network / f"seed{seed}" for run in (first, second)))


@pytest.fixture
def family(tmp_path, few_digits, long_recipe):
    """Four networks in two processes: run to the end as `undisturbed`, and to be started."""
    data.save(few_digits, tmp_path / "digits.safetensors")

    def start(run: str) -> Forked:
        arguments = train_arguments(tmp_path, tmp_path / run, long_recipe, NETWORKS)
        return Forked(train.main, arguments, tmp_path / f"{run}.log")

    assert start("undisturbed").wait() == 0
    return start


@pytest.mark.parametrize("everyone", [True, False], ids=["all processes", "the first"])
@pytest.mark.parametrize("number", ASKING, ids=lambda number: number.name)
def test_a_family_that_is_asked_to_leave_does_and_goes_on(
    tmp_path, family, number, everyone, survived
):
    """Clusters ask all processes, people the first alone."""
    log = tmp_path / "disturbed.log"
    stopped = stopped_at_random(lambda: family("disturbed"), log, number, 4, 0.4, everyone)
    assert stopped == 4
    told = log.read_text()
    assert "Traceback" not in told and "starting over" not in told
    assert told.count(f"stopped by {number.name}: run it again to go on\n") == stopped
    for epochs in epochs_told(log).values():
        assert epochs == list(range(1, EPOCHS + 1)), "an epoch was trained twice, or not at all"
    assert_family_is_the_same(tmp_path / "undisturbed", tmp_path / "disturbed")
    survived(number.name, "training", "status 75, then the same bytes", stopped)


def test_a_family_killed_at_random_moments_loses_no_epoch(tmp_path, family, survived):
    kills = 0
    while kills < KILLS:
        run = f"killed{kills}"
        log = tmp_path / f"{run}.log"
        kills += stopped_at_random(lambda run=run: family(run), log, signal.SIGKILL, 25, 0.4)
        assert "starting over" not in log.read_text()
        for epochs in epochs_told(log).values():
            assert epochs == sorted(set(epochs)), "an epoch was trained twice"
        assert_family_is_the_same(tmp_path / "undisturbed", tmp_path / run)
    survived("kill -9", "training", "the same bytes, no epoch twice", kills)


class Stops:
    """Stands for `asked`: a signal has come when it is looked at for the n-th time."""

    def __init__(self, number: int):
        self.left = number

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


@pytest.mark.parametrize("precision", ["float32", "float64"])
@pytest.mark.parametrize("name", ["mnist/fcn3x32", "mnist/resnet18+wd+bn", "mnist/resnet18+frozen"])
def test_going_on_from_any_batch_is_bit_identical(
    tmp_path, recipe, few_digits, monkeypatch, name, precision
):
    """Five batches and the test images in each of two epochs; weights, momentum and history."""
    width = 1 if "fcn" in name else 0.125
    recipe = replace(recipe, epochs=2, checkpoints=(0, 1, 2), width=width, precision=precision)
    recipe = replace(recipe, augmentation="pad_crop_flip", initial_law="lecun_normal")
    experiment = parse_network(name).seed(0)

    def folder(run: str) -> TrainingFolder:
        return TrainingFolder(tmp_path / run, experiment, recipe, few_digits)

    train_alone(folder("whole"))
    for number in range(1, 13, 1 if "fcn" in name else 3):
        run = f"stopped{number}"
        monkeypatch.setattr(training, "asked", Stops(number))
        with pytest.raises(Interrupted):
            train_alone(folder(run))
        monkeypatch.setattr(training, "asked", lambda: False)
        part = folder(run).state().part
        assert part.batches == ((number - 1) % 6 + 1 if number % 6 else 5)
        train_alone(folder(run))
        assert_same(tmp_path / "whole", tmp_path / run)


def test_a_stack_goes_on_from_any_batch(few_digits, recipe, monkeypatch):
    """As on a GPU; the states lie in memory here."""
    recipe = replace(recipe, epochs=2)
    experiments = [parse_network("mnist/fcn3x32").seed(seed) for seed in range(3)]

    def states() -> list[TrainState]:
        return [start(experiment, recipe, few_digits) for experiment in experiments]

    def finish(states: list[TrainState]) -> list[TrainState]:
        training.train(experiments, states, recipe, few_digits, lambda *_: None)
        return states

    whole = finish(states())
    for number in (1, 3, 6, 9):
        stopped = states()
        monkeypatch.setattr(training, "asked", Stops(number))
        with pytest.raises(Interrupted):
            finish(stopped)
        monkeypatch.setattr(training, "asked", lambda: False)
        for one, other in zip(finish(deepcopy(stopped)), whole, strict=True):
            assert all(torch.equal(one.weights[key], other.weights[key]) for key in other.weights)
            assert one.history[-1]["train_loss"] == other.history[-1]["train_loss"]


def test_a_long_epoch_is_kept_every_few_minutes(tmp_path, recipe, few_digits, monkeypatch):
    """Here after each batch; what is kept in between changes nothing."""
    folders = [
        TrainingFolder(tmp_path / run, parse_experiment("mnist/fcn3x32/seed0"), recipe, few_digits)
        for run in ("whole", "kept")
    ]
    train_alone(folders[0])
    monkeypatch.setattr(training, "PAUSE", -1)
    saved = []
    monkeypatch.setattr(
        TrainState, "save", lambda self, *_: saved.append((self.epoch, self.part.batches))
    )
    train_alone(folders[1])
    epoch = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), (0, 5)]  # the last after the test images
    assert saved[: len(epoch) + 2] == [(0, 0), *epoch, (1, 0)]
    assert_same(folders[0].path, folders[1].path)


def test_two_processes_that_train_together_leave_together(tmp_path, few_digits, recipe, survived):
    """All are asked, or one alone: each stops after the same batch, and torchrun ends as they do."""
    recipe = replace(recipe, epochs=2000, checkpoints=(0, 2000), precision="float64")
    data.save(few_digits, tmp_path / "digits.safetensors")
    command = train_command(tmp_path, tmp_path, recipe, ["mnist/fcn3x32"], seeds=1)
    log = tmp_path / "log"

    def rank(number: int) -> int:
        """Process id of a rank, which torchrun names in its environment."""
        for path in Path("/proc").glob("[0-9]*/environ"):
            with contextlib.suppress(OSError):
                if f"\0RANK={number}\0".encode() in path.read_bytes():
                    return int(path.parent.name)
        raise ProcessLookupError(number)

    def stop(everyone: bool) -> None:
        with log.open("w") as file:
            started = subprocess.Popen(
                [*command, "--processes", "2"],
                env=ENVIRONMENT | {"OMP_NUM_THREADS": "1"},
                stderr=file,
                start_new_session=True,
            )
        while " epoch " not in log.read_text():
            assert started.poll() is None, log.read_text()
            time.sleep(0.1)
        if everyone:
            os.killpg(started.pid, signal.SIGTERM)
        else:
            os.kill(rank(1), signal.SIGTERM)
        assert started.wait(30) == EXIT_STATUS, log.read_text()
        assert "Traceback" not in log.read_text()
        assert "saved after" in log.read_text()

    stop(everyone=True)
    stop(everyone=False)
    state, metadata = tensorfile.load(tmp_path / "mnist/fcn3x32/seed0/resume/state.safetensors")
    epochs = len(json.loads(metadata["history"]))
    assert epochs > 1
    alone = replace(recipe, epochs=epochs + 1, checkpoints=(0, epochs + 1))
    kept = []
    training.train(
        [parse_experiment("mnist/fcn3x32/seed0")],
        [start(parse_experiment("mnist/fcn3x32/seed0"), alone, few_digits)],
        alone,
        few_digits,
        lambda _, state: kept.append({k: v.clone() for k, v in state.weights.items()}),
    )
    assert len(kept) == epochs + 1
    survived("SIGTERM", "training in two processes", "status 75 of all, after the same batch", 2)

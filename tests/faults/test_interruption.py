"""Stopped at any moment, by signals that ask or that kill: nothing is lost or trained twice."""

import itertools
import math
import os
import random
import re
import shutil
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch

from layer_robustness.attacks import accuracy as adversarial
from layer_robustness.attacks.accuracy import Trial, adversarial_rows
from layer_robustness.attacks.settings import Settings
from layer_robustness.commands import distances, figure, probe, train
from layer_robustness.commands.train import train_one
from layer_robustness.data import dataset as data
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.experiments import paths
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.names import parse_experiment, parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR
from layer_robustness.figures.registry import FIGURES
from layer_robustness.probing import measurement
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.interruption import EXIT_STATUS, Interrupted
from layer_robustness.storage import rows, tensorfile
from layer_robustness.training import folder as publishing
from layer_robustness.training import loop as training
from layer_robustness.training.folder import TrainingFolder
from layer_robustness.training.state import TrainState
from layer_robustness.training.trained import TrainedNetwork
from support.checkout import ENVIRONMENT
from support.image_folders import write_images
from support.processes import FORK, Forked, Stops, rank, signal_after
from support.result_files import arguments_of, write_results
from support.steps import contents
from support.training import NETWORK, finished, history, train_arguments, weights

ASKING = [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT]
EPOCHS = 90
JOB = "mnist/fcn2x64"
SEEDS = 3
EXPERIMENT = parse_experiment("mnist/fcn5x256/seed0")  # that is measured


def assert_same(first: Path, second: Path) -> None:
    """Checkpoints byte for byte, and the history."""
    assert weights(first) == weights(second)
    assert history(first) == history(second)


def epochs_told(log: str) -> dict[str, list[int]]:
    """Epochs that a log tells of, by experiment."""
    told = defaultdict(list)
    for name, epoch in re.findall(r"^(\S+) epoch (\d+)/", log, re.M):
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
        # A signal that comes before the command handles signals ends it without a word.
        stopped += status == EXIT_STATUS or number == signal.SIGKILL


@pytest.fixture(scope="module")
def job(tmp_path_factory, few_digits, recipe) -> Callable[[Path], Forked]:
    """Three seeds in two processes for some seconds: to be started in a folder."""
    folder = tmp_path_factory.mktemp("job")
    data.save(few_digits, folder / "digits.safetensors")
    long = replace(recipe, epochs=EPOCHS, checkpoints=(0, 1, 2, 20, EPOCHS))

    def start(run: Path) -> Forked:
        arguments = train_arguments(folder, run, long, JOB, SEEDS)
        return Forked(train.main, [*arguments, "--draws", "2"], run.with_suffix(".log"))

    return start


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, job) -> Path:
    """The folder of the same, run to its end."""
    run = tmp_path_factory.mktemp("undisturbed")
    assert job(run).wait() == 0
    return run / JOB


@pytest.mark.parametrize(
    ("number", "everyone"),
    [*((number, True) for number in (*ASKING, signal.SIGKILL)), (signal.SIGTERM, False)],
    ids=lambda value: getattr(value, "name", "all" if value else "the first"),
)
def test_a_job_that_is_stopped_at_random_moments_goes_on(
    tmp_path, job, undisturbed, number, everyone, kills, monkeypatch
):
    """Clusters ask all processes, people the first alone."""
    killed = number == signal.SIGKILL
    monkeypatch.setattr(publishing, "LARGE", math.inf)  # saves every epoch, on a slow disk too
    left, folders = kills if killed else 3, itertools.count()
    while left > 0:
        run = tmp_path / str(next(folders))
        log = run.with_suffix(".log")
        start = partial(job, run)
        stops = stopped_at_random(start, log, number, min(left, 25), 0.4, everyone)
        left -= stops
        told = log.read_text()
        assert "Traceback" not in told and "starting over" not in told
        for epochs in epochs_told(told).values():
            assert epochs == sorted(set(epochs)), "an epoch was trained twice"
            assert killed or epochs == list(range(1, EPOCHS + 1)), "an epoch is not told of"
        if not killed:
            assert told.count(f"stopped by {number.name}: run it again to go on\n") == stops
        assert_same(undisturbed, run / JOB)


@pytest.mark.parametrize(
    ("owner", "name", "calls"),
    [(train, "publish", 1), (publishing, "link", 9), (rows, "write", 1), (Manifest, "save", 1)],
    ids=["before", "in the midst", "before the history", "before the manifest"],
)
def test_a_job_killed_while_it_publishes_trains_nothing_again(
    tmp_path, job, undisturbed, monkeypatch, owner, name, calls
):
    """All is trained by then. In the midst: of the second network's weights."""
    plain, seen = getattr(owner, name), []

    def killing(*arguments):
        seen.append(arguments)
        if len(seen) == calls:
            os.kill(os.getpid(), signal.SIGKILL)
        return plain(*arguments)

    monkeypatch.setattr(owner, name, killing)
    run = tmp_path / "killed"
    manifest = run / JOB / "checkpoints.json"
    assert job(run).wait() == -signal.SIGKILL
    assert not manifest.exists()
    monkeypatch.undo()
    assert job(run).wait() == 0
    for epochs in epochs_told(run.with_suffix(".log").read_text()).values():
        assert epochs == list(range(1, EPOCHS + 1)), "an epoch was trained twice, or never"
    assert_same(undisturbed, run / JOB)
    assert manifest.read_bytes() == (undisturbed / "checkpoints.json").read_bytes()


ADAMW = {"optimizer": "adamw", "warmup": 2}
OWN = {"model": "support.own_network:build", "initial_law": CONSTRUCTOR}


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("mnist/fcn3x32", {"precision": "float32"}),
        ("mnist/fcn3x32", {"precision": "float64"}),
        ("mnist/fcn3x32", ADAMW),
        ("mnist/resnet18+wd+bn", {"width": 0.125}),
        ("mnist/resnet18+frozen", {"width": 0.125}),
        ("beyond/own", ADAMW | OWN | {"weight_decay": 0.05}),
    ],
    ids=str,
)
def test_going_on_from_any_batch_is_bit_identical(
    tmp_path, recipe, few_digits, monkeypatch, name, changes
):
    """Five batches and four of test images in each of two epochs: weights, optimizer, history."""
    recipe = replace(recipe, epochs=2, checkpoints=(0, 1, 2), augmentation="pad_crop_flip")
    recipe = replace(recipe, **{"initial_law": "lecun_normal"} | changes)
    experiment = parse_network(name).seed(0)

    def of_run(run: str) -> tuple:
        return tmp_path / run / "checkpoints.json", experiment, recipe, few_digits

    finished(*of_run("whole"))
    for number in [10] if "resnet" in name else range(1, 19):
        run = f"stopped{number}"
        monkeypatch.setattr(training, "asked", Stops(number))
        with pytest.raises(Interrupted):
            train_one(TrainingFolder(*of_run(run)))
        monkeypatch.setattr(training, "asked", lambda: False)
        part = TrainingFolder(*of_run(run)).state().part
        assert part.batches == min((number - 1) % 9 + 1, 5)
        finished(*of_run(run))
        assert_same(tmp_path / "whole", tmp_path / run)


def test_a_long_epoch_is_kept_every_few_minutes(tmp_path, recipe, few_digits, monkeypatch):
    """Here after each batch; what is kept in between changes nothing."""
    whole, often = (
        TrainingFolder(tmp_path / run / "checkpoints.json", NETWORK.seed(0), recipe, few_digits)
        for run in ("whole", "often")
    )
    train_one(whole)
    monkeypatch.setattr(training, "PAUSE", -1)
    saved = []
    monkeypatch.setattr(
        TrainState, "save", lambda self, *_: saved.append((self.epoch, self.part.batches))
    )
    train_one(often)
    # After each of five batches, and of four parts of the test images.
    epoch = [(0, 1), (0, 2), (0, 3), (0, 4), (0, 5), *[(0, 5)] * 4]
    assert saved[: len(epoch) + 2] == [(0, 0), *epoch, (1, 0)]
    assert whole.kept("epoch4").read_bytes() == often.kept("epoch4").read_bytes()


def test_two_processes_that_train_together_leave_together(
    tmp_path, few_digits, recipe, monkeypatch
):
    """One alone is asked: they stop after the same batch, and torchrun ends as they do.

    One that the system kills is one line too, and most likely had no memory.
    """
    recipe = replace(recipe, epochs=40, checkpoints=(0, 40), precision="float64")
    data.save(few_digits, tmp_path / "digits.safetensors")
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    arguments = train_arguments(tmp_path, tmp_path / "two", recipe, JOB, seeds=1)
    for number, status, last in (
        (signal.SIGTERM, EXIT_STATUS, "stopped by a signal to its processes: "),
        (signal.SIGKILL, 1, "error: a process was killed, most likely because memory ran out: "),
    ):
        log = tmp_path / f"{number.name}.log"
        command = Forked(train.main, [*arguments, "--processes", "2"], log)
        while " epoch " not in log.read_text():
            assert command.process.is_alive(), log.read_text()
            time.sleep(0.05)
        os.kill(rank(command, 1), number)
        assert command.wait(60) == status, log.read_text()
        assert "Traceback" not in log.read_text()
        assert log.read_text().splitlines()[-1].startswith(last)
    found = []
    for run in (f"two/{JOB}", "one"):  # one process goes on with what two have begun
        of_run = tmp_path / run / "checkpoints.json", parse_network(JOB).seed(0), recipe
        folder = TrainingFolder(*of_run, data.load(tmp_path / "digits.safetensors"))
        assert (folder.state().epoch > 0) == run.startswith("two")
        train_one(folder)
        found.append(tensorfile.load(folder.kept("epoch40"))[0])
    torch.testing.assert_close(*found, rtol=1e-6, atol=1e-9)


def test_processes_that_decode_images_do_not_leave_before_training_has_saved(tmp_path, deep):
    """Cluster managers ask them as well."""
    images = write_images(tmp_path / "images")
    data.save(imagenet(images), tmp_path / "digits.safetensors")
    recipe = replace(deep, epochs=8, checkpoints=(0, 8), batch_size=4)
    recipe = replace(recipe, augmentation="resized_crop_flip")

    def start(run: str) -> Forked:
        arguments = train_arguments(tmp_path, tmp_path / run, recipe, "imagenet/resnet18", 1)
        return Forked(train.main, [*arguments, "--images", images], tmp_path / f"{run}.log")

    assert start("whole").wait() == 0
    log = tmp_path / "stopped.log"
    stopped = stopped_at_random(partial(start, "stopped"), log, signal.SIGTERM, 2, 1)
    assert stopped > 0 and "Traceback" not in log.read_text()
    assert_same(*(tmp_path / run / "imagenet/resnet18" for run in ("whole", "stopped")))


@pytest.fixture
def trained(tmp_path, few_digits, recipe) -> TrainedNetwork:
    """A network to be measured, with its data beside it."""
    data.save(few_digits, tmp_path / "digits.safetensors")
    dataset = data.load(tmp_path / "digits.safetensors")
    trained = finished(tmp_path / "whole/checkpoints.json", EXPERIMENT, recipe, dataset, draws=2)
    shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    return trained


@pytest.mark.parametrize("name", ["probe", "joint"])
def test_a_measurement_that_is_stopped_keeps_what_was_counted(
    tmp_path, trained, kills, monkeypatch, name
):
    """One image at a time."""
    monkeypatch.setattr(measurement, "EVERY", 0)
    groups = ["--groups", "every_second"] if name == "joint" else []

    def start(run: str) -> Forked:
        arguments = [
            *(tmp_path / run / "checkpoints.json", "--data", tmp_path / "digits.safetensors"),
            *("--output", tmp_path / run / f"{name}.csv", "--memory", 1e-9),
            *("--device", "cpu", *groups),
        ]
        return Forked(probe.main, arguments, tmp_path / f"{run}.log")

    assert start("whole").wait() == 0
    whole, stopped = (tmp_path / run / f"{name}.csv" for run in ("whole", "stopped"))
    kept = paths.resume(stopped.with_name("checkpoints.json"), EXPERIMENT, name)
    log = tmp_path / "stopped.log"
    for number, wanted in ((signal.SIGKILL, max(1, kills // 2)), (signal.SIGTERM, 2)):
        stops = 0
        while stops < wanted:
            for file in (stopped, kept, log):
                file.unlink(missing_ok=True)
            stops += stopped_at_random(partial(start, "stopped"), log, number, wanted, 0.3)
            told = [int(n) for n in re.findall(rf" {name} (\d+)/200$", log.read_text(), re.M)]
            assert told == sorted(set(told)), "an image was counted twice"
            # The last kill may come between the last count and its line.
            assert told[-1] == 200 or "goes on after 200/200" in log.read_text()
            assert "starting over" not in log.read_text()
            assert stopped.read_bytes() == whole.read_bytes()


def test_attacks_that_are_stopped_keep_the_rows_they_have(tmp_path, few_digits, deep, monkeypatch):
    monkeypatch.setattr(measurement, "EVERY", 0)
    experiment = parse_network("mnist/resnet4^2").seed(0)
    manifest = tmp_path / "checkpoints.json"
    trained = finished(manifest, experiment, deep, few_digits)
    settings = Settings(5, 2, 5, "example", "fresh", 8, 2, 2, "random", 2)

    def measured() -> list[dict]:
        return list(adversarial_rows(trained, few_digits, 1, [0, 2], settings))

    expected = measured()
    paths.resume(manifest, experiment, "adversarial").unlink()
    computed = []
    accuracy = Trial.accuracy

    def stopping(self, attack, *arguments):
        computed.append(attack)
        if len(computed) == 6:
            raise Interrupted
        return accuracy(self, attack, *arguments)

    monkeypatch.setattr(adversarial.Trial, "accuracy", stopping)
    with pytest.raises(Interrupted):
        measured()
    assert measured() == expected
    assert len(computed) == len(expected) + 1  # the one that was stopped, twice


def assert_stopped(main, options, log: Path, number: signal.Signals) -> None:
    """Run a command that sends itself a signal: it ends at once, in one line."""
    assert Forked(main, options, log).wait() == EXIT_STATUS
    assert log.read_text() == f"stopped by {number.name}: run it again to go on\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_figure_that_is_stopped_while_it_is_written_stays_as_it_was(
    tmp_path, recipe, monkeypatch, number
):
    """Its .pdf is written beside its place, and what was there before is there."""
    write_results(tmp_path / "results", FIGURES["figure1"], recipe)
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / "figure1.pdf").write_bytes(b"before")
    read = arguments_of(tmp_path / "results")
    options = ("figure1", *read, "--output", folder / "figure1.pdf")
    signal_after(monkeypatch, Path, "write_bytes", number)
    assert_stopped(figure.main, options, tmp_path / "log", number)
    left = contents(folder)
    assert left.pop("figure1.pdf") == b"before" and left.keys() == {"figure1.csv", "figure1.md"}


def test_distances_that_are_stopped_write_no_rows(tmp_path, trained, monkeypatch):
    """They look between units."""
    signal_after(monkeypatch, distances, "distances", signal.SIGTERM)
    options = trained.path, "--output", tmp_path / "distances.csv"
    assert_stopped(distances.main, options, tmp_path / "log", signal.SIGTERM)
    assert not list(tmp_path.glob("*distances*"))


def test_a_signal_after_the_end_of_a_command_changes_nothing():
    """As when Python itself is about to leave."""

    def ended() -> None:
        exit_with_one_line(lambda: None)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(3)

    process = FORK.Process(target=ended)
    process.start()
    process.join()
    assert process.exitcode == 3


def test_an_error_that_other_code_makes_of_a_signal_is_told_as_the_signal(tmp_path):
    def main() -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            raise ValueError from None

    assert_stopped(main, (), tmp_path / "log", signal.SIGTERM)

"""What lies on disk: interrupted, taken over, damaged."""

import csv
import json
import math
import shutil
import subprocess
import time
from dataclasses import asdict, replace

import pytest
import torch

from layer_robustness.commands.train import train_alone
from layer_robustness.data import dataset as data
from layer_robustness.experiments.names import parse_network
from layer_robustness.probing.rows import Limits, reset_rows
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import tensorfile
from layer_robustness.storage.files import replacing
from layer_robustness.training import checkpoints
from layer_robustness.training.checkpoints import TrainedNetwork, TrainingFolder
from layer_robustness.training.state import TrainState
from support.checkout import ENVIRONMENT, ROOT
from support.result_files import read_csv
from support.training import train_command, weights

NETWORK = parse_network("mnist/fcn3x32")
LIMITS = Limits(draws=1, micro_batch=64, memory=10**9)


def folder_of(tmp_path, recipe, dataset, seed=0) -> TrainingFolder:
    experiment = NETWORK.seed(seed)
    return TrainingFolder(tmp_path / str(experiment), experiment, recipe, dataset)


def test_a_finished_training_has_all_its_files(tmp_path, recipe, few_digits):
    folder = folder_of(tmp_path, recipe, few_digits)
    train_alone(folder)
    assert set(weights(folder.path)) == {f"epoch{epoch}.safetensors" for epoch in (0, 1, 2, 4)}
    with (folder.path / "training.csv").open() as file:
        rows = list(csv.DictReader(file))
    columns = ["epoch", "rate", "train_loss", "train_error", "test_error", "seconds", "checksum"]
    assert list(rows[0]) == columns
    assert len(rows) == 4
    manifest = json.loads((folder.path / "checkpoints.json").read_text())
    assert manifest["recipe"]["learning_rate"] == 0.05
    assert [machine["threads"] for machine in manifest["machines"]] == [1]
    trained = TrainedNetwork.load(tmp_path, folder.experiment, few_digits)
    assert trained.recipe == recipe
    assert torch.equal(
        trained.checkpoint(4)["layer1.linear.bias"], trained.network.layer1.linear.bias
    )


def test_workers_leave_when_their_parent_is_killed(tmp_path, recipe, digits):
    data.save(digits, tmp_path / "digits.safetensors")
    recipe = replace(recipe, epochs=1000, checkpoints=(0, 1000))
    command = train_command(tmp_path, tmp_path / "results", recipe, ["mnist/fcn3x256"])
    states = [
        tmp_path / f"results/mnist/fcn3x256/seed{seed}/resume/state.safetensors"
        for seed in range(2)
    ]
    with subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.DEVNULL) as process:
        while not all(state.exists() for state in states):
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    time.sleep(2)
    before = [state.stat().st_mtime_ns for state in states]
    time.sleep(1.5)
    assert [state.stat().st_mtime_ns for state in states] == before


def test_a_network_does_not_depend_on_its_company(tmp_path, recipe, few_digits):
    data.save(few_digits, tmp_path / "digits.safetensors")
    for run, networks in {
        "alone": [str(NETWORK)],
        "family": ["mnist/fcn2x64", str(NETWORK)],
    }.items():
        command = train_command(tmp_path, tmp_path / run, recipe, networks)
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
    alone, family = (tmp_path / run / str(NETWORK) / "seed1" for run in ("alone", "family"))
    assert weights(alone) == weights(family)


def test_a_network_that_diverges_is_a_result_and_the_others_go_on(tmp_path, recipe, few_digits):
    """Steps of -999 times each weight leave the range of a float after some batches."""
    data.save(few_digits, tmp_path / "digits.safetensors")
    dataset = data.load(tmp_path / "digits.safetensors")
    diverging = replace(recipe, learning_rate=1000.0, weight_decay=1.0)
    recipes = {"mnist/fcn3x32+wd": diverging, str(NETWORK): recipe}

    def run() -> str:
        values = {name: {"seeds": [0, 1], **asdict(each)} for name, each in recipes.items()}
        command = train_command(tmp_path, tmp_path / "results", recipe, [])
        command += ["--recipes", json.dumps(values)]
        ended = subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True, text=True)
        return ended.stderr

    told = run()
    assert told.count("did not train: its loss is nan in epoch 1; lower learning_rate") == 2
    folder = tmp_path / "results/mnist/fcn3x32+wd/seed0"
    manifest = json.loads((folder / "checkpoints.json").read_text())
    assert manifest["did_not_train"] == {"epoch": 1, "loss": "nan"}
    assert set(weights(folder)) == {f"epoch{epoch}.safetensors" for epoch in (0, 1, 2, 4)}
    assert tensorfile.load(folder / "checkpoints/epoch0.safetensors")[0]
    assert not tensorfile.load(folder / "checkpoints/epoch1.safetensors")[0]
    alone = folder_of(tmp_path / "alone", recipe, dataset)
    train_alone(alone)
    beside = tmp_path / "results" / str(alone.experiment)
    histories = [read_csv(path / "training.csv") for path in (alone.path, beside)]
    assert histories[0].drop(columns="seconds").equals(histories[1].drop(columns="seconds"))
    assert "epoch 1/4" not in run(), "it was trained again"
    experiment = parse_network("mnist/fcn3x32+wd").seed(0)
    trained = TrainedNetwork.load(tmp_path / "results", experiment, dataset)
    rows = list(reset_rows(trained, {"layer1": ("layer1",)}, LIMITS, "probe"))
    assert [row["source"] for row in rows] == ["rerand", "0", "1", "2", "4"]
    assert all(math.isnan(row[name]) for row in rows for name in ("error", "loss", "agreement"))


def test_a_finished_network_is_taken_over_and_a_changed_one_is_not(tmp_path, recipe, few_digits):
    folder = folder_of(tmp_path, recipe, few_digits)
    train_alone(folder)
    history = (folder.path / "training.csv").read_text()
    for name in ("training.csv", "checkpoints.json"):
        (folder.path / name).unlink()
    train_alone(folder)
    assert (folder.path / "training.csv").read_text() == history  # its seconds too
    train_alone(folder_of(tmp_path, replace(recipe, learning_rate=0.04), few_digits))
    assert (folder.path / "training.csv").read_text() != history


def test_a_large_state_is_written_rarely_but_with_every_checkpoint(
    tmp_path, recipe, few_digits, monkeypatch
):
    """Writing takes 1 second here, so that 20 epochs of as long have to pass before the next."""
    clock = [0.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: clock[0])
    written = []

    def save(self, *_):
        clock[0] += 1
        written.append(self.epoch)

    monkeypatch.setattr(TrainState, "save", save)
    recipe = replace(recipe, epochs=60, checkpoints=(0, 30, 60))
    folder = folder_of(tmp_path, recipe, few_digits)
    state = folder.state()
    for _ in range(60):
        clock[0] += 1
        state.record(train_loss=0.5)
        folder.keep(state)
    assert written == [0, 20, 30, 50, 60]


def test_no_byte_of_a_file_can_change_unnoticed(tmp_path):
    """Every bit of a small file flipped, the header with its metadata among them."""
    path = tmp_path / "file.safetensors"
    tensorfile.save(path, {"a": torch.tensor([1.0, 2.0])}, {"mean": "0.13", "history": "[]"})
    content = path.read_bytes()
    original = tensorfile.load(path)
    for position in range(len(content)):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            tensors, metadata = tensorfile.load(path)
        except InputError:
            continue
        assert metadata == original[1] and torch.equal(tensors["a"], original[0]["a"])


@pytest.mark.parametrize("name", ["mnist/resnet18+bn", "mnist/vgg11+bn", "mnist/resnet18+frozen"])
def test_a_probe_starts_from_the_network_that_was_trained(tmp_path, recipe, few_digits, name):
    """Its full model errs as the history says; its running statistics are those of training."""
    experiment = parse_network(name).seed(0)
    recipe = replace(recipe, epochs=2, checkpoints=(0, 2), initial_law="lecun_normal", width=0.125)
    folder = TrainingFolder(tmp_path / str(experiment), experiment, recipe, few_digits)
    train_alone(folder)
    trained = TrainedNetwork.load(tmp_path, experiment, few_digits)
    before = trained.checkpoint(2)
    groups = {"fullmodel": trained.network.unit_names}
    rows = {
        (row["unit"], row["source"]): row for row in reset_rows(trained, groups, LIMITS, "probe")
    }
    with (folder.path / "training.csv").open() as file:
        *_, last = csv.DictReader(file)
    assert rows["fullmodel", "2"]["error"] == pytest.approx(float(last["test_error"]))
    after = trained.network.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_an_edit_of_the_code_while_it_runs_is_not_what_ran(tmp_path, recipe, few_digits):
    """The fingerprint is of the code that was imported, not of what lies there at the end."""
    source = tmp_path / "src"
    shutil.copytree(ROOT / "src", source)
    data.save(few_digits, tmp_path / "digits.safetensors")
    recipe = replace(recipe, epochs=200, checkpoints=(0, 200))
    command = train_command(tmp_path, tmp_path / "results", recipe, [str(NETWORK)], seeds=1)
    environment = ENVIRONMENT | {"PYTHONPATH": str(source)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        process.stderr.readline()
        training = source / "layer_robustness/training/loop.py"
        training.write_text(training.read_text() + "# edited\n")
        process.stderr.read()
    assert process.returncode == 0
    again = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    assert "another recipe, data or code" in again.stderr
    assert "epoch 200/200" in again.stderr


def test_a_failing_write_leaves_nothing_behind(tmp_path):
    path = tmp_path / "file.safetensors"
    tensorfile.save(path, {"a": torch.ones(2)}, {})
    before = path.read_bytes()
    with pytest.raises(RuntimeError), replacing(path) as temporary:
        temporary.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]

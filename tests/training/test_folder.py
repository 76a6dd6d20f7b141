"""What training leaves on disk: finished, taken over, interrupted, not trained at all."""

import math
import signal
import time
from dataclasses import replace
from unittest.mock import patch

import pytest
import torch

from layer_robustness.commands import train as command
from layer_robustness.data import dataset as data
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR
from layer_robustness.models.build import draw
from layer_robustness.probing.rows import reset_rows
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import Interrupted
from layer_robustness.storage import tensorfile
from layer_robustness.training import folder as folder_module
from layer_robustness.training import loop
from layer_robustness.training.folder import TrainingFolder, train_one
from layer_robustness.training.state import TrainState
from layer_robustness.training.trained import TrainedNetwork, check_data, tell_other_versions
from support.checkout import ROOT
from support.processes import Forked, Stops
from support.result_files import read_csv
from support.steps import ended
from support.training import finished, history, train_arguments, weights

EXPERIMENT = parse_network("mnist/fcn2x32").seed(0)  # no part of a sweep


@pytest.fixture
def manifest(tmp_path):
    return tmp_path / "mnist/fcn2x32/checkpoints.json"


def trains(manifest, experiment, recipe, dataset, draws=1) -> bool:
    """Whether anything is left to train until it is finished."""
    with patch.object(folder_module, "Training", wraps=loop.Training) as called:
        finished(manifest, experiment, recipe, dataset, draws)
    return called.called


def test_a_finished_training_has_all_its_files(manifest, recipe, few_digits):
    trained = finished(manifest, EXPERIMENT, recipe, few_digits, draws=2)
    names = [*(f"epoch{epoch}" for epoch in (0, 1, 2, 4)), "rerand0", "rerand1"]
    stored = {f"checkpoints/fcn2x32/seed0/{name}.safetensors" for name in names}
    assert set(weights(manifest.parent)) == stored
    rows = read_csv(manifest.parent / "training.csv")
    assert list(rows) == [
        *("network", "seed", "epoch", "rate", "train_loss", "train_error", "test_error", "seconds")
    ]
    assert rows["epoch"].tolist() == [1, 2, 3, 4] and set(rows["network"]) == {"mnist/fcn2x32"}
    assert trained.manifest.recipe == recipe and trained.manifest.data.sha256 == few_digits.sha256
    (machine,) = trained.entry.machines
    expected = {"device": "cpu", "torch": torch.__version__, "threads": 1, "processes": 1}
    assert machine.items() >= expected.items()
    assert trained.sources == [("rerand", 0), ("rerand", 1), *((e, 0) for e in "0124")]
    torch.testing.assert_close(dict(trained.state("4")), trained.network.state_dict())
    for number in range(2):
        purpose = f"rerand{number}"
        fresh = draw(EXPERIMENT, recipe.initial_law, (1, 28, 28), 10, purpose=purpose).state_dict()
        for found in (trained.state("rerand", number), trained.fresh(number).state_dict()):
            torch.testing.assert_close(dict(found), fresh, rtol=0, atol=0)
    check_data(trained, few_digits)
    with pytest.raises(InputError, match="was trained on other data than few_digits: train again"):
        check_data(trained, replace(few_digits, sha256="other"))


def test_a_changed_recipe_trains_again_only_where_it_changes_weights_or_lacks_some(
    manifest, recipe, few_digits
):
    """Fewer checkpoints, or more draws, take over the weights as they are."""

    def changed(draws=1, **changes) -> bool:
        return trains(manifest, EXPERIMENT, replace(recipe, **changes), few_digits, draws)

    assert changed()
    before, rows = weights(manifest.parent), (manifest.parent / "training.csv").read_text()
    assert not changed(checkpoints=(0, 4))
    assert not changed(checkpoints=(0, 4), draws=2)
    names = ["epoch0", "epoch4", "rerand0", "rerand1"]
    assert list(Manifest.load(manifest).experiments[EXPERIMENT].checkpoints) == names
    assert weights(manifest.parent).items() > before.items()
    assert (manifest.parent / "training.csv").read_text() == rows  # its seconds too
    assert changed(checkpoints=(0, 1, 2, 3, 4))
    assert weights(manifest.parent).items() > before.items()
    assert changed(learning_rate=0.04)


def test_a_changed_file_of_an_own_network_trains_again(tmp_path, monkeypatch, recipe, few_digits):
    monkeypatch.chdir(tmp_path)
    source = (ROOT / "tests/support/own_network.py").read_text()
    (tmp_path / "network_of_mine.py").write_text(source)
    recipe = replace(recipe, model="network_of_mine:build", initial_law=CONSTRUCTOR)
    job = tmp_path / "mine/checkpoints.json", parse_network("beyond/mine").seed(0)
    assert trains(*job, recipe, few_digits) and not trains(*job, recipe, few_digits)
    (tmp_path / "network_of_mine.py").write_text(source + "\n# changed\n")
    assert trains(*job, recipe, few_digits)
    trained = TrainedNetwork.load(*job)
    kept = trained.state("4")
    assert trained.manifest.recipe == recipe
    assert "6.factor" not in kept and "1.running_mean" in kept
    torch.testing.assert_close(dict(kept), trained.network.state_dict(), rtol=0, atol=0)


def test_tied_weights_are_kept_under_all_their_names(manifest, recipe, few_digits):
    recipe = replace(recipe, model="support.own_network:tied", initial_law=CONSTRUCTOR)
    trained = finished(manifest, parse_network("beyond/tied").seed(0), recipe, few_digits)
    before, after = trained.state("0"), trained.state("4")
    assert set(after) == {f"{n}.{kind}" for n in (1, 3, 5) for kind in ("weight", "bias")}
    for name in ("3.weight", "5.weight"):
        assert torch.equal(after["1.weight"], after[name])
    assert not torch.equal(before["1.weight"], after["1.weight"])
    torch.testing.assert_close(dict(after), trained.network.state_dict(), rtol=0, atol=0)


def test_going_on_and_measuring_elsewhere_is_said_in_one_line(
    manifest, recipe, few_digits, monkeypatch, capsys
):
    for number in (7, 3):  # the second time on the same machine
        with patch.object(loop, "asked", Stops(number)), pytest.raises(Interrupted):
            train_one(TrainingFolder(manifest, EXPERIMENT, recipe, few_digits))
    here, there = torch.__version__, "2.14.1"
    monkeypatch.setattr(torch, "__version__", there)
    capsys.readouterr()
    trained = finished(manifest, EXPERIMENT, recipe, few_digits)
    told = capsys.readouterr().err
    assert told.count("was trained on") == 1
    assert f"'torch': '{here}'}}, and goes on on {{'device': 'cpu'" in told
    assert [machine["torch"] for machine in trained.entry.machines] == [here, there]
    tell_other_versions(trained, torch.device("cpu"))
    assert capsys.readouterr().err == ""
    tell_other_versions(trained, torch.device("cuda"))
    assert capsys.readouterr().err == (
        f"mnist/fcn2x32/seed0 was trained by torch {there} on cpu, "
        f"and is measured by torch {there} on cuda\n"
    )


def test_workers_leave_when_their_parent_is_killed(tmp_path, manifest, recipe, few_digits):
    data.save(few_digits, tmp_path / "digits.safetensors")
    recipe = replace(recipe, epochs=10_000, checkpoints=(0, 10_000))
    arguments = train_arguments(tmp_path, tmp_path, recipe, "mnist/fcn2x32")
    states = [manifest.parent / f"resume/fcn2x32/seed{seed}/state.safetensors" for seed in (0, 1)]
    running = Forked(command.main, arguments, tmp_path / "log")
    while not all(state.exists() for state in states):
        assert running.process.is_alive()
        time.sleep(0.05)
    running.stop(signal.SIGKILL, everyone=False)
    time.sleep(1.5)
    before = [state.stat().st_mtime_ns for state in states]
    time.sleep(0.5)
    assert [state.stat().st_mtime_ns for state in states] == before


def test_a_network_does_not_depend_on_its_company(tmp_path, recipe, few_digits):
    data.save(few_digits, tmp_path / "digits.safetensors")
    few_digits = data.load(tmp_path / "digits.safetensors")
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1), milestones=())
    sweep, experiment = "mnist/fcn_widths", parse_network("mnist/fcn5x64").seed(0)
    assert not ended("train", *train_arguments(tmp_path, tmp_path, recipe, sweep, seeds=1))
    finished(tmp_path / "alone/checkpoints.json", experiment, recipe, few_digits)
    alone, beside = weights(tmp_path / "alone"), weights(tmp_path / sweep)
    assert alone and alone.items() < beside.items()
    rows = [row for row in history(tmp_path / sweep) if row["network"] == "mnist/fcn5x64"]
    assert rows == history(tmp_path / "alone")
    assert len(Manifest.load(tmp_path / sweep / "checkpoints.json").experiments) == 10


def test_a_network_that_diverges_is_a_result(manifest, recipe, few_digits, capsys):
    """Steps of -999 times each weight leave the range of a float after some batches."""
    recipe = replace(recipe, learning_rate=1000.0, weight_decay=1.0)
    assert trains(manifest, EXPERIMENT, recipe, few_digits)
    told = "seed0 did not train: its loss is nan in epoch 1; lower learning_rate"
    assert told in capsys.readouterr().err
    assert not trains(manifest, EXPERIMENT, recipe, few_digits)
    trained = TrainedNetwork.load(manifest, EXPERIMENT)
    assert trained.entry.did_not_train == {"epoch": 1, "loss": "nan"}
    assert trained.state("0") and not trained.state("1") and not trained.state("4")
    rows = list(reset_rows(trained, few_digits, {"layer1": ("layer1",)}, 10**9, "probe"))
    assert [row["source"] for row in rows] == ["rerand", "0", "1", "2", "4"]
    assert all(math.isnan(row[name]) for row in rows for name in ("error", "loss", "agreement"))


def test_a_large_state_is_written_rarely_but_with_every_checkpoint(
    manifest, recipe, few_digits, monkeypatch
):
    """Writing takes 1 second here, so that 20 epochs of as long have to pass before the next."""
    clock = [0.0]
    monkeypatch.setattr(folder_module.time, "monotonic", lambda: clock[0])
    written = []

    def save(self, *_):
        clock[0] += 1
        written.append(self.epoch)

    monkeypatch.setattr(TrainState, "save", save)
    recipe = replace(recipe, epochs=60, checkpoints=(0, 30, 60))
    folder = TrainingFolder(manifest, EXPERIMENT, recipe, few_digits)
    state = folder.state()
    for _ in range(60):
        clock[0] += 1
        state.record(train_loss=0.5)
        folder.keep(state)
    assert written == [0, 20, 30, 50, 60]


def test_a_probe_starts_from_the_network_that_was_trained(manifest, deep, few_digits):
    """Its full model errs as the history says; its running statistics are those of training."""
    experiment = parse_network("mnist/resnet18+bn").seed(0)
    trained = finished(manifest, experiment, deep, few_digits)
    before, groups = trained.state("1"), {"fullmodel": experiment.network.units}
    *_, row = reset_rows(trained, few_digits, groups, 10**9, "probe")
    assert row["error"] == pytest.approx(history(manifest.parent)[-1]["test_error"])
    after = {name: tensor.contiguous() for name, tensor in trained.network.state_dict().items()}
    torch.testing.assert_close(after, dict(before), rtol=0, atol=0)


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

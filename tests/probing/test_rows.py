"""The rows of a probe against their definition: full passes of copies of the trained network."""

import pytest
import torch
from torch import nn

from layer_robustness.data import dataset
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.units import state_of, unit_modules
from layer_robustness.probing import engine
from layer_robustness.probing.rows import reset_rows
from layer_robustness.training.trained import TrainedNetwork
from support.networks import plain_logits
from support.result_files import read_csv
from support.steps import Steps
from support.training import NETWORK, finished


def test_rows_are_what_a_plain_loop_measures(tmp_path, recipe, few_digits, monkeypatch):
    monkeypatch.setattr(engine, "LARGEST", 48)  # of 200 images: the last batch is a short one
    trained = finished(tmp_path / "checkpoints.json", NETWORK.seed(0), recipe, few_digits)
    groups = {"layer1": ("layer1",), "both": ("layer2", "layer4"), "fullmodel": NETWORK.units}
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    rows = list(reset_rows(trained, few_digits, groups, 10**9, "probe"))
    assert all(torch.equal(before[name], t) for name, t in trained.network.state_dict().items())
    cells = [(group, *source) for group in groups for source in trained.sources]
    assert [(row["unit"], row["source"], row["draw"]) for row in rows] == cells
    images, labels = few_digits.normalize(few_digits.test_images), few_digits.test_labels
    clean, modules = plain_logits(trained.network, {}, images), unit_modules(NETWORK)
    for row in rows:
        state = trained.state(row["source"], row["draw"])
        own = [module for unit in groups[row["unit"]] for module in modules[unit]]
        logits = plain_logits(trained.network, state_of(own, state), images)
        assert torch.equal(row["missed"], logits.argmax(1) != labels)
        assert row["error"] == row["missed"].double().mean().item()
        assert row["agreement"] == (logits.argmax(1) == clean.argmax(1)).double().mean().item()
        assert row["loss"] == pytest.approx(nn.functional.cross_entropy(logits, labels).item())
        assert (row["images"], row["precision"]) == (200, "float32")
    # The case would be empty if resets changed nothing.
    assert len({row["loss"] for row in rows}) > len(groups)


def test_the_command_resets_groups_and_the_units_outside(tmp_path, recipe):
    steps = Steps(tmp_path, recipe)
    assert not (steps.prepare() or steps.train() or steps.joint())
    rows = read_csv(steps.results / "joint.csv").set_index(["unit", "source", "draw"])
    digits = dataset.load(steps.data)
    trained = TrainedNetwork.load(steps.manifest, parse_experiment("mnist/fcn3x256/seed0"))
    images, initial = digits.normalize(digits.test_images), trained.state("0")
    for group, layers in (("every_second", "24"), ("not every_second", "13")):
        own = state_of([f"layer{number}" for number in layers], initial)
        missed = plain_logits(trained.network, own, images).argmax(1) != digits.test_labels
        assert rows.loc[(group, "0", 0), "error"] == pytest.approx(missed.double().mean().item())
    assert rows["error"].nunique() > 2

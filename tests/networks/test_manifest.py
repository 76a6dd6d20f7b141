"""The command line with a network that the workflow trained, by its manifest."""

import sys
from dataclasses import replace

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from layer_robustness.commands import any_network
from layer_robustness.data import dataset
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.training.trained import TrainedNetwork
from support.steps import Steps

IMAGES = 1000


@pytest.fixture(scope="module")
def steps(tmp_path_factory, recipe):
    """A small network of the paper's that was trained for three epochs, with two draws."""
    made = Steps(tmp_path_factory.mktemp("steps"), replace(recipe, epochs=3, checkpoints=(0, 1, 3)))
    assert not made.prepare() and not made.train()
    return made


def probed(steps, monkeypatch, *more) -> pd.DataFrame:
    """Run the command; its rows."""
    output = steps.folder / "probed"
    given = ("--manifest", steps.manifest, "--data", steps.data, "--output", output, *more)
    monkeypatch.setattr(sys, "argv", ["layer-robustness", "probe", *map(str, given)])
    any_network.main()
    return pd.read_csv(output / "probe.csv").set_index(["unit", "source", "draw"])


@torch.no_grad()
def test_resets_to_all_that_is_stored(steps, monkeypatch):
    frame = probed(steps, monkeypatch, "--draws", 2, "--units", "leaf")
    states = {("reinit", 0): "epoch0", ("epoch1", 0): "epoch1", ("epoch3", 0): "epoch3"}
    states |= {("rerand", draw): f"rerand{draw}" for draw in (0, 1)}
    data = dataset.load(steps.data)
    images = data.normalize(data.test_images)
    trained = TrainedNetwork.load(steps.manifest, parse_experiment("mnist/fcn3x256/seed0"))
    folder = steps.results / "checkpoints/fcn3x256/seed0"
    final = load_file(folder / "epoch3.safetensors")
    units = [unit for unit in frame.index.unique("unit") if unit != "trained"]
    assert len(units) == 4
    for unit in units:
        for (source, draw), name in states.items():
            state = load_file(folder / f"{name}.safetensors")
            own = {key for key in final if key.startswith(f"{unit}.")}
            trained.network.load_state_dict(final | {key: state[key] for key in own})
            predicted = trained.network.eval()(images).argmax(1)
            missed = int((predicted != data.test_labels).sum())
            assert own and frame.loc[(unit, source, draw), "error"] == missed / IMAGES
    assert frame.loc[(units[0], "epoch3", 0), "agreement"] == 1
    assert (frame["classes"] == 10).all()


def test_some_of_the_images(steps, monkeypatch):
    frame = probed(steps, monkeypatch, "--num-samples", 50, "--sources", "zero")
    assert (frame["images"] == 50).all()


def test_all_of_a_network_that_diverged_is_nan(tmp_path, recipe, monkeypatch):
    """Steps of -999 times each weight leave the range of a float after some batches."""
    steps = Steps(tmp_path, replace(recipe, learning_rate=1000.0, weight_decay=1.0))
    assert not steps.prepare() and not steps.train()
    sources = ("reinit", "rerand", "epoch4", "interpolate:0.5")
    frame = probed(steps, monkeypatch, "--draws", 2, "--units", "leaf", "--sources", *sources)
    assert len(frame) == 1 + 4 * (1 + 2 + 1 + 1) and frame.index[0] == ("trained", "trained", 0)
    assert frame["error"].isna().all() and (frame["images"] == IMAGES).all()
    assert (tmp_path / "probed/heatmap.pdf").exists()
    assert "did not train" in (tmp_path / "probed/critical.txt").read_text()


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (["--checkpoint", "weights.pt"], "--checkpoint is for --model"),
        (["--experiment", "mnist/fcn3x256/seed7"], "only mnist/fcn3x256/seed0"),
        (["--draws", "3"], "only 2 fresh states"),
        (["--data", "nowhere.safetensors"], "nowhere.safetensors cannot be read"),
        (["--sources", "epoch2"], "source 'epoch2' is unknown"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_end_with_one_line(steps, monkeypatch, wrong, complaint):
    with pytest.raises(SystemExit) as ended:
        probed(steps, monkeypatch, *wrong)
    assert complaint in ended.value.code and "\n" not in ended.value.code

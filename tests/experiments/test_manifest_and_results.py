"""What a job writes is what figures, tables and claims read."""

import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from layer_robustness.experiments.manifest import Manifest, Trained, TrainingData
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Setup
from support.result_files import results_in, write_csv
from support.steps import line_of

NETWORKS = [parse_network(f"mnist/fcn3x{width}") for width in (16, 32)]
MACHINE = {"device": "cpu", "name": "x86_64", "processes": 1, "threads": 1, "torch": "2.15"}
CHECKPOINTS = {name: f"checksum of {name}" for name in ("epoch0", "epoch4", "rerand0", "rerand1")}


@pytest.fixture
def manifest(recipe) -> Manifest:
    """Two networks, the first of which did not train with its second seed."""
    done, diverged = Trained([MACHINE], None, CHECKPOINTS), {"epoch": 3, "loss": "inf"}
    experiments = {network.seed(seed): done for network in NETWORKS for seed in range(2)}
    experiments[NETWORKS[0].seed(1)] = replace(done, did_not_train=diverged)
    return Manifest(TrainingData("digits5k", "sha", (1, 28, 28), 10), recipe, experiments)


@pytest.fixture
def path(tmp_path, manifest):
    path = tmp_path / "mnist/fcn_widths/checkpoints.json"
    manifest.save(path)
    return path


def test_a_manifest_comes_back_as_it_was_saved(path, manifest):
    assert Manifest.load(path) == manifest
    assert manifest.draws == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda values: values["data"].pop("sha256"),
        lambda values: values["recipe"].pop("epochs"),
        lambda values: values["experiments"]["mnist/fcn3x16/seed0"].pop("checkpoints"),
        lambda values: values["recipe"].update(rate=1),
        lambda values: values.update(experiments=[]),
        lambda values: values.update(experiments={}),
        lambda values: values["experiments"].update(nobody=values["experiments"].popitem()[1]),
    ],
)
def test_what_is_no_manifest_is_refused_in_one_line(path, spoil):
    values = json.loads(path.read_text())
    spoil(values)
    path.write_text(json.dumps(values))
    told = rf"error: {path} (is not a manifest of|has no entry of) .*: delete .* and run again"
    assert re.fullmatch(told, line_of(Manifest.load, path))


def test_results_of_several_jobs_are_read_as_one(tmp_path, path, recipe):
    alone = parse_network("cifar10/vgg16")
    data, recipe = TrainingData("cifar10", "sha", (3, 32, 32), 10), replace(recipe, width=0.5)
    other = tmp_path / "cifar10/vgg16/checkpoints.json"
    Manifest(data, recipe, {alone.seed(0): Trained([], None, {"epoch0": ""})}).save(other)
    sweep = [(network, seed) for network in NETWORKS for seed in range(2)]
    for manifest, experiments in ((path, sweep), (other, [(alone, 0)])):
        rows = [
            (str(network), seed, "layer1", source, 0, seed + 0.1)
            for network, seed in experiments
            for source in ("rerand", "0")
        ]
        columns = ["network", "seed", "unit", "source", "draw", "error"]
        write_csv(manifest.with_name("probe.csv"), pd.DataFrame(rows, columns=columns))
    results = results_in(tmp_path)
    assert results.setups == {
        **{str(network): Setup("digits5k", 10, 1, 4, 2, 2) for network in NETWORKS},
        "cifar10/vgg16": Setup("cifar10", 10, 0.5, 4, 1, 0),
    }
    assert results.sources() == {"mnist": "digits5k", "cifar10": "cifar10"}
    found = results.of(NETWORKS[1], "probe.csv")
    assert found["seed"].tolist() == [0, 0, 1, 1] and set(found["network"]) == {"mnist/fcn3x32"}
    assert found["source"].tolist() == ["rerand", "0"] * 2  # an epoch is a name, as rerand is
    assert list(found.index) == [0, 1, 2, 3]
    unknown = parse_network("mnist/fcn3x64")
    assert results.ran([*NETWORKS, alone]) and not results.ran([alone, unknown])
    assert results.has(alone, "probe.csv")
    assert not results.has(unknown, "probe.csv") and not results.has(alone, "joint.csv")

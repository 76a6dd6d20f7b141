"""Every file between two steps, damaged: one clear line, no other number, and a way back."""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from layer_robustness.data import dataset as data
from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Results, read
from layer_robustness.figures.collect import collect
from layer_robustness.figures.registry import FIGURES
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import bits, jsonfile, tensorfile
from layer_robustness.training.trained import TrainedNetwork
from support.steps import DAMAGES, NETWORK, Steps, contents, ended, harm, line_of, remove
from support.stochastic import SETTINGS

# In text a changed digit or a lost row is not noticed.
OF_JSON = tuple(damage for damage in DAMAGES if damage != "flipped")
OF_CSV = ("emptied", "missing", "text", "directory")
SEED0 = parse_network(NETWORK).seed(0)
JOB = f"results/{NETWORK}"
WEIGHTS = f"{JOB}/checkpoints/fcn3x256/seed0"
RESUME = f"{JOB}/resume/fcn3x256/seed0"


def commands_of(steps: Steps) -> dict[str, Callable[[], str]]:
    """All that reads files, by name."""
    csvs = [steps.results / f"{name}.csv" for name in ("training", "probe", "joint", "distances")]
    read = ("--results", *csvs, "--manifests", steps.manifest)
    theirs = ("--paper", steps.folder / "paper")
    settings = ("--draws", 2, "--replaced", 1, *as_flags(SETTINGS).split())
    attack = (*settings, "--data", steps.data, "--device", "cpu")

    def shown(command: str, *arguments: object) -> Callable[[], str]:
        output = steps.folder / f"shown/{command}.csv"
        return partial(ended, command, *arguments, "--preset", "made up", "--output", output)

    return {
        **{name: getattr(steps, name) for name in ("prepare", "train", "probe", "joint")},
        "distances": steps.distances,
        "attack": partial(steps.measured, "attack", "adversarial.csv", *attack),
        "missed": partial(line_of, bits.read, steps.results / "probe.csv"),
        "figure": shown("figure", "figure1", *read),
        "table": shown("table", "table3", *read),
        "claims": shown("claims", *read),
        "comparison": shown("comparison", *read, *theirs),
        "comparison_figure": shown("comparison_figure", "figure1", *read, *theirs),
        "explorer": shown("explorer", *read, *theirs),
    }


SHOWN = ("figure", "comparison", "comparison_figure", "claims")
WITH_WEIGHTS = ("probe", "joint", "attack", "distances")
PAPERS = ("comparison", "comparison_figure", "explorer")
# A file, the damages that are noticed, the commands that read it, and the one that makes it again.
FILES = [
    ("data/digits5k.safetensors", DAMAGES, ("train", "probe", "joint", "attack"), "prepare"),
    (f"{JOB}/checkpoints.json", OF_JSON, (*WITH_WEIGHTS, "table", "explorer", *SHOWN), "train"),
    (f"{WEIGHTS}/epoch2.safetensors", DAMAGES, WITH_WEIGHTS, "train"),
    (f"{WEIGHTS}/rerand1.safetensors", DAMAGES, WITH_WEIGHTS, "train"),
    (f"{JOB}/training.csv", OF_CSV, ("table", "explorer"), "train"),
    (f"{JOB}/probe.csv", OF_CSV, (*SHOWN, "explorer"), "probe"),
    (f"{JOB}/probe.missed.safetensors", DAMAGES, ("missed",), "probe"),
    (f"{JOB}/distances.csv", OF_CSV, (*SHOWN, "explorer"), "distances"),
    ("paper/table3.csv", DAMAGES, PAPERS, None),
    ("paper/SHA256SUMS", DAMAGES, PAPERS, None),
]


@pytest.mark.parametrize(("name", "damages", "readers", "maker"), FILES, ids=[f[0] for f in FILES])
def test_all_that_read_a_damaged_file_name_it_and_the_way_back(
    steps, undisturbed, payloads, name, damages, readers, maker
):
    """What the line says to delete is enough for Snakemake to make the file again."""
    path, commands = steps.folder / name, commands_of(steps)
    whole = path.read_bytes()
    for damage in (*damages, *payloads):
        remove(path)
        path.write_bytes(whole)
        harm(path, damage)
        before = contents(steps.folder)
        for reader in readers:
            told = commands[reader]()
            # A checksum that differs is told of the file that it is of.
            named = f"{path.parent}/" if path.name == "SHA256SUMS" else f"{path} "
            assert told.startswith(f"error: {named}") and path.name in told, (damage, told)
            assert told.endswith("again"), (damage, told)
        assert contents(steps.folder) == before
    if maker:
        to_delete = Path(re.search(r"delete (\S+) and run again$", told)[1])
        weights = steps.results / "checkpoints"
        assert to_delete == (weights if weights in path.parents else path)
        remove(to_delete)
        assert not commands[maker]()
        assert path.read_bytes() == whole
        assert steps.weights() == undisturbed.weights()


# Text that can be read, and is not what it should be


def altered(path: Path, change: Callable[[dict], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


MANIFESTS = {
    "has no entry of mnist/fcn3x256/seed0": lambda v: v["experiments"].pop(f"{NETWORK}/seed0"),
    "has an unknown precision": lambda v: v["recipe"].update(precision="float31"),
}


@pytest.mark.parametrize("told", MANIFESTS)
def test_a_manifest_that_lacks_something_is_one_line(steps, told):
    altered(steps.manifest, MANIFESTS[told])
    said = f"error: {steps.manifest} {told}"
    assert steps.probe().startswith(said) and steps.distances().startswith(said)


def test_a_manifest_without_its_last_seed_does_not_fit_the_rows(steps):
    """There is no telling from the manifest alone."""
    altered(steps.manifest, lambda values: values["experiments"].pop(f"{NETWORK}/seed1"))
    assert steps.figure() == (
        f"error: {steps.results}/probe.csv and checkpoints.json beside it are of other "
        f"experiments: one has none of {NETWORK}/seed1; delete both and run again"
    )


ROWS = {
    "has no column source": lambda rows: rows.drop(columns="source"),
    "has no column network": lambda rows: rows.drop(columns="network"),
    "cannot be read": lambda rows: rows.assign(error="large"),
    "has a source that is neither": lambda rows: rows.assign(source="x" + rows["source"]),
    "has two rows of the same network": lambda rows: pd.concat([rows, rows.head(1)]),
    "and checkpoints.json beside it are of other": lambda rows: rows[rows["seed"] == 0],
    "and checkpoints.json beside": lambda rows: rows.replace(NETWORK, "mnist/fcn3x257"),
    "and checkpoints.json": lambda rows: rows.head(0),
}


@pytest.mark.parametrize("told", ROWS)
def test_rows_that_are_not_those_of_the_manifest_are_one_line(steps, told):
    path = steps.results / "probe.csv"
    ROWS[told](read(path)).to_csv(path, index=False)
    assert steps.figure().startswith(f"error: {path} {told}")


def test_rows_that_are_not_those_of_their_bits_are_one_line(steps):
    path = steps.results / "probe.csv"
    read(path).drop(index=3).to_csv(path, index=False)
    results = Results.read([steps.manifest], [path])
    with pytest.raises(InputError, match=r"beside it have other numbers of rows: delete both"):
        results.missed(results.of(SEED0.network, "probe.csv"))


@pytest.mark.parametrize("name", ["checkpoints.json", "probe.csv"])
def test_no_flipped_bit_of_text_is_a_traceback(steps, name):
    """Some are noticed; the others are digits, and names that nobody looks up."""
    path = steps.results / name
    content, refused = path.read_bytes(), 0
    rows = [steps.results / file for file in ("probe.csv", "distances.csv")]
    for position in range(0, len(content), 43):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            collect(FIGURES["figure1"], Results.read([steps.manifest], rows))
            TrainedNetwork.load(steps.manifest, SEED0)
        except InputError as error:
            assert str(path) in str(error) or name == "checkpoints.json"
            refused += 1
    assert refused > 10


# Whole files, but not the right ones


def train_otherwise(steps: Steps) -> None:
    """Train by another recipe too, in a folder of its own."""
    recipe = replace(steps.recipe, learning_rate=0.02)
    otherwise = replace(steps, folder=steps.folder / "otherwise", recipe=recipe)
    shutil.copytree(steps.data.parent, otherwise.data.parent)
    assert not otherwise.train()


def exchange(steps: Steps, path: Path, what: str) -> None:
    """Damage a file, or put in its place another one, by its name in the folder."""
    if what.startswith("otherwise/"):
        train_otherwise(steps)
    harm(path, what if what in DAMAGES else (steps.folder / what).read_bytes())


SEED1 = f"{JOB}/resume/fcn3x256/seed1"
DIGITS, STATE = "data/digits5k.safetensors", "state.safetensors"
EPOCH0, EPOCH1, EPOCH2 = (f"epoch{number}.safetensors" for number in range(3))


@pytest.mark.parametrize(
    "other",
    [f"{SEED1}/{EPOCH2}", f"otherwise/{RESUME}/{EPOCH2}", f"{RESUME}/{EPOCH1}", DIGITS],
    ids=["seed", "training", "epoch", "data set"],
)
def test_a_checkpoint_of_another_is_refused(steps, undisturbed, other):
    """By every step that reads checkpoints, until what the line says is deleted."""
    path = steps.folder / WEIGHTS / "epoch2.safetensors"
    exchange(steps, path, other)
    for reader in (steps.probe, steps.distances):
        assert f"{path} is not the checkpoint that was trained" in reader()
    remove(steps.results / "checkpoints")
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()


def test_other_data_than_trained_on_is_refused(steps):
    dataset = data.load(steps.data)
    data.save(replace(dataset, test_labels=dataset.test_labels.flip(0)), steps.data)
    for reader in (steps.probe, steps.joint):
        assert "was trained on other data than digits5k: train again" in reader()


OTHERS = (f"{SEED1}/{STATE}", f"otherwise/{RESUME}/{STATE}")
# A file of the resume folder, and how it is damaged or what lies in its place.
RESUMED = [
    *((name, damage) for name in (STATE, EPOCH1) for damage in ("flipped", "missing")),
    *((STATE, other) for other in (DIGITS, f"{RESUME}/{EPOCH0}", *OTHERS)),
    *((EPOCH1, other) for other in (f"{RESUME}/{STATE}", f"{RESUME}/{EPOCH0}")),
]


@pytest.mark.parametrize(("name", "what"), RESUMED)
def test_training_starts_over_where_it_cannot_go_on(steps, undisturbed, capfd, name, what):
    exchange(steps, steps.folder / RESUME / name, what)
    capfd.readouterr()
    assert not steps.train()
    told = capfd.readouterr().err
    assert "fcn3x256/seed0 epoch 1/2" in told
    assert what not in OTHERS or "is of another recipe, data or code" in told
    assert steps.weights() == undisturbed.weights()


@pytest.mark.parametrize("name", ["state", "epoch1"])
def test_a_folder_in_place_of_what_training_keeps_is_left_to_the_user(steps, undisturbed, name):
    path = steps.folder / RESUME / f"{name}.safetensors"
    harm(path, "directory")
    assert f"{path} cannot be written (Is a directory)" in steps.train()
    path.rmdir()
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()


@pytest.mark.parametrize(
    "what", ["flipped", f"{RESUME}/joint.safetensors"], ids=["flipped", "other units"]
)
def test_a_probe_starts_over_where_it_cannot_go_on(steps, undisturbed, capfd, what):
    """What a finished probe kept stands for what a stopped one has."""
    exchange(steps, steps.folder / RESUME / "probe.safetensors", what)
    assert not steps.probe()
    assert "starting over" in capfd.readouterr().err
    for file in ("probe.csv", "probe.missed.safetensors"):
        assert (steps.results / file).read_bytes() == (undisturbed.results / file).read_bytes()


@pytest.mark.parametrize("name", ["state", "epoch1"])
def test_training_starts_over_where_a_payload_lies(steps, undisturbed, payloads, name):
    for payload in payloads:
        harm(steps.folder / RESUME / f"{name}.safetensors", payload)
        assert not steps.train()
    assert steps.weights() == undisturbed.weights()


def test_a_checkpoint_is_no_data_set(steps):
    shutil.copy(steps.folder / WEIGHTS / "epoch0.safetensors", steps.data)
    assert "is not a prepared data set" in steps.train()


@pytest.mark.parametrize("metadata", ["[1]", "3", '"text"', "[" * 100_000])
def test_metadata_of_another_form_is_a_damaged_file(tmp_path, metadata):
    path = tmp_path / "file.safetensors"
    save_file({"a": torch.ones(2)}, path, {"metadata": metadata})
    with pytest.raises(InputError, match="cannot be read"):
        tensorfile.load(path)
    path = tmp_path / "file.json"
    path.write_text(metadata)
    with pytest.raises(InputError, match="cannot be read"):
        jsonfile.load(path)

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
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Results, read
from layer_robustness.figures.collect import collect
from layer_robustness.figures.registry import FIGURES
from layer_robustness.models.build import build
from layer_robustness.paper import values as paper
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import bits, jsonfile, tensorfile
from layer_robustness.training.trained import TrainedNetwork
from support.checkout import ROOT
from support.steps import DAMAGES, NETWORK, Steps, contents, ended, harm, remove
from support.stochastic import SETTINGS

# In text a changed digit or a lost row is not noticed.
OF_JSON = tuple(damage for damage in DAMAGES if damage != "flipped")
OF_CSV = ("emptied", "missing", "text", "directory")
LINE = "one line that names the file"
SAME = "one line that names the file; made again with the same bytes"
STARTED_OVER = "noticed; trained again to the same bytes"
SEED0 = parse_network(NETWORK).seed(0)
JOB = f"results/{NETWORK}"
WEIGHTS = f"{JOB}/checkpoints/fcn3x256/seed0"
RESUME = f"{JOB}/resume/fcn3x256/seed0"


def commands_of(steps: Steps) -> dict[str, Callable[[], str]]:
    """All that reads files, by name."""
    folder, shown = steps.folder, steps.folder / "shown"
    csvs = [steps.results / f"{name}.csv" for name in ("training", "probe", "joint", "distances")]
    made = ("--results", *csvs, "--manifests", steps.manifest, "--preset", "made up")
    theirs = ("--paper", folder / "paper")
    attack = ("--draws", 2, "--replaced", 1, *as_flags(SETTINGS).split())
    return {
        **{name: getattr(steps, name) for name in ("train", "probe", "joint", "distances")},
        "attack": partial(
            *(steps.measured, "attack", "adversarial.csv", *attack),
            *("--data", steps.data, "--device", "cpu"),
        ),
        "figure": partial(ended, "figure", "figure1", *made, "--output", shown / "figure1.pdf"),
        "table": partial(ended, "table", "table3", *made, "--output", shown / "table3.csv"),
        "claims": partial(ended, "claims", *made, "--output", shown / "claims.csv"),
        "comparison": partial(
            ended, "comparison", *made, *theirs, "--output", shown / "comparison.csv"
        ),
        "comparison_figure": partial(
            *(ended, "comparison_figure", "figure1", *made, *theirs),
            *("--output", shown / "comparison_figure1.pdf"),
        ),
        "explorer": partial(ended, "explorer", *made, *theirs, "--output", shown / "explorer.html"),
    }


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, recipe) -> Steps:
    """All steps, done."""
    few = replace(recipe, epochs=2, checkpoints=(0, 1, 2), milestones=(1,), batch_size=500)
    steps = Steps(tmp_path_factory.mktemp("undisturbed"), few, seeds=2)
    assert not (steps.prepare() or steps.train())
    shutil.copytree(ROOT / "resources/paper", steps.folder / "paper")
    commands = commands_of(steps)
    for name in ("probe", "joint", "distances", "figure", "comparison", "explorer"):
        assert not commands[name]()
    return steps


@pytest.fixture
def steps(undisturbed, tmp_path) -> Steps:
    """A copy to be damaged; published checkpoints are links there too."""
    shutil.copytree(undisturbed.folder, tmp_path, dirs_exist_ok=True)
    return replace(undisturbed, folder=tmp_path)


# A file, what reads it, and the damages that it notices.
LOADERS = {
    "data": ("data/digits5k.safetensors", data.load, DAMAGES),
    "weights": (
        f"{WEIGHTS}/epoch2.safetensors",
        lambda path: TrainedNetwork.load(path.parents[3] / "checkpoints.json", SEED0),
        DAMAGES,
    ),
    "manifest": (f"{JOB}/checkpoints.json", Manifest.load, OF_JSON),
    "rows": (f"{JOB}/probe.csv", read, OF_CSV),
    "which images are wrong": (
        f"{JOB}/probe.missed.safetensors",
        lambda path: bits.read(path.with_name("probe.csv")),
        DAMAGES,
    ),
    "the paper's values": ("paper/table3.csv", lambda path: paper.load(path.parent), DAMAGES),
    "their checksums": ("paper/SHA256SUMS", lambda path: paper.load(path.parent), DAMAGES),
}


@pytest.mark.parametrize("loader", LOADERS)
def test_every_damage_is_noticed_by_what_reads_the_file(steps, survived, loader):
    name, load, damages = LOADERS[loader]
    path = steps.folder / name
    whole = path.read_bytes()
    load(path)
    for damage in damages:
        harm(path, damage)
        with pytest.raises(InputError) as raised:
            load(path)
        told = str(raised.value)
        assert path.name in told and "\n" not in told and told.endswith("again"), (damage, told)
        remove(path)
        path.write_bytes(whole)
        survived("damaged in 4 to 7 ways", "each kind of file", LINE)


SHOWN = ("figure", "comparison", "comparison_figure", "claims")
# A file, the commands that read it, and the one that makes it again.
CONSUMERS = [
    ("data/digits5k.safetensors", ("train", "probe", "joint", "attack"), "prepare"),
    (
        f"{JOB}/checkpoints.json",
        ("probe", "joint", "attack", "distances", "table", "explorer", *SHOWN),
        "train",
    ),
    (f"{WEIGHTS}/epoch2.safetensors", ("probe", "joint", "attack", "distances"), "train"),
    (f"{WEIGHTS}/rerand1.safetensors", ("probe", "joint", "attack", "distances"), "train"),
    (f"{JOB}/training.csv", ("table", "explorer"), "train"),
    (f"{JOB}/probe.csv", (*SHOWN, "explorer"), "probe"),
    (f"{JOB}/distances.csv", (*SHOWN, "explorer"), "distances"),
]


@pytest.mark.parametrize(("name", "readers", "maker"), CONSUMERS, ids=lambda value: str(value))
def test_every_command_names_the_damaged_file_and_the_way_back(
    steps, undisturbed, survived, name, readers, maker
):
    """What its line says to delete is enough for Snakemake to make the file again."""
    path, commands = steps.folder / name, commands_of(steps)
    harm(path, "text")
    before = contents(steps.folder)
    for reader in readers:
        told = commands[reader]()
        assert told.startswith(f"error: {path} "), told
    assert contents(steps.folder) == before
    to_delete = Path(re.search(r"delete (\S+) and run again$", told)[1])
    weights = steps.results / "checkpoints"
    assert to_delete == (weights if weights in path.parents else path)
    remove(to_delete)
    assert not (steps.prepare() if maker == "prepare" else commands[maker]())
    assert path.read_bytes() == (undisturbed.folder / name).read_bytes()
    assert steps.weights() == undisturbed.weights()
    survived("text in its place", "every command that reads a file", SAME, len(readers))


# Text that can be read, and is not what it should be


def altered(path: Path, change: Callable[[dict], object]) -> None:
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


MANIFESTS = {
    "has no entry of mnist/fcn3x256/seed0": lambda v: v["experiments"].pop(f"{NETWORK}/seed0"),
    "has no entry of experiments": lambda v: v["experiments"].clear(),
    "is not a manifest": lambda v: v["experiments"].update(
        {"mnist/other/seed0": v["experiments"][f"{NETWORK}/seed0"]}
    ),
    "is not a manifest of checkpoints": lambda v: v["recipe"].pop("epochs"),
    "has an unknown precision": lambda v: v["recipe"].update(precision="float31"),
}


@pytest.mark.parametrize("told", MANIFESTS)
def test_a_manifest_that_lacks_something_is_one_line(steps, survived, told):
    altered(steps.manifest, MANIFESTS[told])
    said = f"error: {steps.manifest} {told}"
    assert steps.probe().startswith(said) and steps.distances().startswith(said)
    survived("an entry gone or altered", "checkpoints.json", LINE)


def test_a_manifest_without_its_last_seed_does_not_fit_the_rows(steps, survived):
    """There is no telling from the manifest alone."""
    altered(steps.manifest, lambda values: values["experiments"].pop(f"{NETWORK}/seed1"))
    assert steps.figure() == (
        f"error: {steps.results}/probe.csv and checkpoints.json beside it are of other "
        f"experiments: one has none of {NETWORK}/seed1; delete both and run again"
    )
    survived("an entry gone or altered", "checkpoints.json", LINE)


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
def test_rows_that_are_not_those_of_the_manifest_are_one_line(steps, survived, told):
    path = steps.results / "probe.csv"
    ROWS[told](read(path)).to_csv(path, index=False)
    assert steps.figure().startswith(f"error: {path} {told}")
    survived("a column, a seed or a type is not as it should be", "rows", LINE)


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


def trained_otherwise(steps: Steps, folder: Path) -> Path:
    """Train by another recipe, in another folder."""
    other = replace(steps, folder=folder, recipe=replace(steps.recipe, learning_rate=0.02))
    shutil.copytree(steps.data.parent, other.data.parent)
    assert not other.train()
    return folder


@pytest.mark.parametrize("whose", ["network", "seed", "training", "epoch"])
def test_a_checkpoint_of_another_is_refused(steps, undisturbed, tmp_path, survived, whose):
    """By every step that reads checkpoints, until what the line says is deleted."""
    path = steps.folder / WEIGHTS / "epoch2.safetensors"
    path.unlink()
    if whose == "network":
        other = build(parse_network("mnist/fcn3x64"), (1, 28, 28), 10)
        tensorfile.save(path, other.state_dict(), {})
    elif whose == "training":
        shutil.copy(trained_otherwise(steps, tmp_path / "other") / WEIGHTS / path.name, path)
    else:
        source = "seed1/epoch2" if whose == "seed" else "seed0/epoch1"
        shutil.copy(path.parents[1] / f"{source}.safetensors", path)
    for reader in (steps.probe, steps.distances):
        assert f"{path} is not the checkpoint that was trained" in reader()
    remove(steps.results / "checkpoints")
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()
    survived("of another network, seed, training or epoch", "published checkpoint", SAME)


def test_other_data_than_trained_on_is_refused(steps, survived):
    dataset = data.load(steps.data)
    data.save(replace(dataset, test_labels=dataset.test_labels.flip(0)), steps.data)
    for reader in (steps.probe, steps.joint):
        assert "was trained on other data than digits5k: train again" in reader()
    survived("of another data set", "prepared data", "refused in one line")


DAMAGED = "flipped, missing, directory", "resume state or checkpoint"
PLACED = "another file in its place", "resume state or checkpoint"
OTHERS = "of another recipe or seed", "resume state"
# A row of the table, a file of the resume folder, and how it is damaged or what lies in its place.
RESUMED = [
    *((DAMAGED, "state", damage) for damage in ("flipped", "missing", "directory")),
    *((DAMAGED, "epoch1", damage) for damage in ("flipped", "missing", "directory")),
    *((PLACED, "state", other) for other in ("data/digits5k", f"{RESUME}/epoch0")),
    *((PLACED, "epoch1", other) for other in (f"{RESUME}/state", f"{RESUME}/epoch0")),
    (OTHERS, "state", f"{JOB}/resume/fcn3x256/seed1/state"),
    (OTHERS, "state", f"otherwise/{RESUME}/state"),
]


@pytest.mark.parametrize(("row", "name", "what"), RESUMED)
def test_training_starts_over_where_it_cannot_go_on(
    steps, undisturbed, capfd, survived, row, name, what
):
    path = steps.folder / RESUME / f"{name}.safetensors"
    if row == DAMAGED:
        harm(path, what)
    else:
        if "otherwise" in what:
            trained_otherwise(steps, steps.folder / "otherwise")
        path.unlink()
        shutil.copy(steps.folder / f"{what}.safetensors", path)
    if what == "directory":  # which nothing here deletes by itself
        assert f"{path} cannot be written (Is a directory)" in steps.train()
        path.rmdir()
    capfd.readouterr()
    assert not steps.train()
    told = capfd.readouterr().err
    assert "fcn3x256/seed0 epoch 1/2" in told
    assert row != OTHERS or "is of another recipe, data or code" in told
    assert steps.weights() == undisturbed.weights()
    survived(*row, SAME if what == "directory" else STARTED_OVER)


def test_a_checkpoint_is_no_data_set(steps, survived):
    shutil.copy(steps.folder / WEIGHTS / "epoch0.safetensors", steps.data)
    assert "is not a prepared data set" in steps.train()
    survived("a checkpoint", "prepared data", "refused in one line")


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

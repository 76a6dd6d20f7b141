"""Every file between two steps, damaged: one clear line, no other number, and a way back."""

import json
import re
import shutil
from dataclasses import replace

import pandas as pd
import pytest
import torch

from layer_robustness.data import dataset as data
from layer_robustness.experiments.names import parse_network
from layer_robustness.models.build import build
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import jsonfile, tensorfile
from layer_robustness.training.checkpoints import load_checkpoint
from support.checkout import ROOT
from support.result_files import read_csv, write_csv
from support.steps import DAMAGES, NETWORK, Steps, contents, ended, harm, remove

DAMAGED = f"damaged: {', '.join(DAMAGES)}"
ONE_LINE = "one line that names the file; made again with the same bytes"
ROWS = "rows that figures and tables are made of"
STARTED_OVER = "noticed; trained again to the same bytes"
REFUSED = "refused in one line"


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, recipe) -> Steps:
    """All steps, done."""
    few = replace(recipe, epochs=2, checkpoints=(0, 1, 2), milestones=(1,), batch_size=500)
    steps = Steps(tmp_path_factory.mktemp("undisturbed"), few)
    steps.all()
    return steps


@pytest.fixture
def steps(undisturbed, tmp_path) -> Steps:
    """A copy to be damaged; published checkpoints are links there too."""
    shutil.copytree(undisturbed.folder, tmp_path, dirs_exist_ok=True)
    return replace(undisturbed, folder=tmp_path)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["state", "epoch1"])
def test_a_damaged_resume_file_is_noticed_and_trained_again(
    steps, undisturbed, capsys, survived, name, damage
):
    path = steps.experiment / f"resume/{name}.safetensors"
    harm(path, damage)
    if damage == "directory":  # which nothing here deletes by itself
        assert f"{path} cannot be written (Is a directory)" in steps.train()
        path.rmdir()
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()
    if (name, damage) != ("state", "missing"):
        assert "starting over" in capsys.readouterr().err
    ended = ONE_LINE if damage == "directory" else STARTED_OVER
    survived(DAMAGED, "resume state or checkpoint", ended)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["epoch0", "epoch2"])
def test_a_damaged_checkpoint_is_one_line_that_says_what_to_delete(
    steps, undisturbed, survived, name, damage
):
    path = steps.experiment / f"checkpoints/{name}.safetensors"
    before = contents(undisturbed.experiment)
    harm(path, damage)
    for reader in (steps.probe, steps.joint, steps.distances):
        told = reader()
        assert told.startswith(f"error: {path} "), told
        assert told.endswith(f"delete {path} and run again")
    remove(path)
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()
    assert not steps.probe() and not steps.distances()
    for name in ("probe.csv", "distances.csv"):
        assert (steps.experiment / name).read_bytes() == before[name]
    survived(DAMAGED, "published checkpoint", ONE_LINE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_data_file_is_one_line_at_every_step(steps, undisturbed, survived, damage):
    harm(steps.data, damage)
    for reader in (steps.train, steps.probe, steps.joint):
        told = reader()
        assert told.startswith(f"error: {steps.data} "), told
        assert told.endswith(f"delete {steps.data} and run again")
    remove(steps.data)
    assert not steps.prepare()
    assert contents(steps.data.parent) == contents(undisturbed.data.parent)
    assert contents(steps.experiment / "checkpoints") == undisturbed.weights()
    survived(DAMAGED, "prepared data", ONE_LINE)


def test_distances_are_measured_without_the_images(steps, undisturbed):
    remove(steps.data)
    remove(steps.experiment / "distances.csv")
    assert not steps.distances()
    before = contents(undisturbed.experiment)
    assert contents(steps.experiment)["distances.csv"] == before["distances.csv"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_summary_is_one_line(steps, undisturbed, survived, damage):
    path = steps.data.with_suffix(".json")
    harm(path, damage)
    told = steps.distances()
    assert told.startswith(f"error: {path} ") and told.endswith(f"delete {path} and run again")
    remove(path)
    assert not steps.prepare()
    assert contents(steps.data.parent) == contents(undisturbed.data.parent)
    survived(DAMAGED, "data's summary", ONE_LINE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_list_of_checkpoints_is_one_line(steps, undisturbed, survived, damage):
    path = steps.experiment / "checkpoints.json"
    harm(path, damage)
    for reader in (steps.probe, steps.joint, steps.distances):
        told = reader()
        assert told.startswith(f"error: {path} ") and told.endswith(f"delete {path} and run again")
    remove(path)
    assert not steps.train()
    assert path.read_bytes() == (undisturbed.experiment / path.name).read_bytes()
    survived(DAMAGED, "checkpoints.json", ONE_LINE)


def test_a_checkpoint_that_is_left_out_of_the_list_is_noticed(steps, survived):
    """It would be a probe of fewer checkpoints, with nothing to be seen amiss."""
    path = steps.experiment / "checkpoints.json"
    text = path.read_text()
    shorter = re.sub(r'("checkpoints": \[\s+0),\s+1,', r"\1,", text)
    assert shorter != text
    path.write_text(shorter)
    assert "does not match its own checksum" in steps.probe()
    survived("entry removed", "checkpoints.json", REFUSED)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["probe", "distances"])
def test_damaged_rows_are_not_drawn(steps, undisturbed, survived, name, damage):
    path = steps.experiment / f"{name}.csv"
    before = contents(steps.folder / "figures")
    harm(path, damage)
    told = steps.figure()
    assert told.startswith(f"error: {path} ") and told.endswith(f"delete {path} and run again")
    assert contents(steps.folder / "figures") == before
    remove(path)
    assert not getattr(steps, name)() and not steps.figure()
    assert path.read_bytes() == (undisturbed.experiment / path.name).read_bytes()
    csv = "figure1.csv"
    assert contents(steps.folder / "figures")[csv] == before[csv]
    survived(DAMAGED, ROWS, ONE_LINE)


def test_no_byte_of_rows_can_change_unnoticed(steps):
    path = steps.experiment / "distances.csv"
    content = path.read_bytes()[:]
    whole = read_csv(path)
    for position in range(0, len(content), 7):
        changed = bytearray(content)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            found = read_csv(path)
        except InputError:
            continue
        assert found.equals(whole)  # a line end that is written in another way


def test_rows_of_another_writer_are_refused(steps, survived):
    """As a spreadsheet leaves them that was told to save."""
    path = steps.experiment / "probe.csv"
    frame = pd.read_csv(path)
    frame.loc[0, "error"] = 0.93
    frame.to_csv(path, index=False)
    assert f"{path} does not match its own checksum" in steps.figure()
    survived("digit changed", ROWS, REFUSED)


# What is read by tables and other figures; made-up numbers.
def made_up(steps: Steps, network: str, file: str):
    rows = [{"epoch": 1, "test_error": 0.2}, {"epoch": 2, "test_error": 0.1}]
    if file == "adversarial.csv":
        rows = [
            {"s": s, "attack": attack, "repetition": repetition, "accuracy": 0.5}
            for s in ("", 1, 2, 3, 4)
            for attack in ("clean", "fgsm", "pgd", "pgd_eot")
            for repetition in range(2)
        ]
    if file == "joint.csv":
        rows = [
            {"unit": unit, "source": source, "draw": 0, "error": 0.5}
            for unit in ("every_second", "not every_second", "two_of_three", "not two_of_three")
            for source in ("rerand", "0", "1")
        ]
    path = steps.folder / "results" / network / "seed0" / file
    write_csv(path, pd.DataFrame(rows))
    return path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize(
    ("command", "target", "network", "file"),
    [
        ("table", "table3", "cifar10/vgg11", "training.csv"),
        ("table", "table2", "cifar10/resnet4^2", "adversarial.csv"),
        ("figure", "figure8", "mnist/fcn5x256", "joint.csv"),
    ],
)
def test_a_damaged_file_is_in_no_table(steps, survived, command, target, network, file, damage):
    path = made_up(steps, network, file)
    assert not steps.drawn(command, target, network)
    drawn = contents(steps.folder / "figures")
    harm(path, damage)
    told = steps.drawn(command, target, network)
    assert told.startswith(f"error: {path} ") and told.endswith(f"delete {path} and run again")
    assert contents(steps.folder / "figures") == drawn
    remove(path)
    made_up(steps, network, file)
    assert not steps.drawn(command, target, network)
    assert contents(steps.folder / "figures") == drawn
    survived(DAMAGED, ROWS, ONE_LINE)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_blocks_are_not_drawn(tmp_path, survived, damage):
    path = tmp_path / "resnet50.json"
    assert not ended("structure", path)
    written = path.read_bytes()
    harm(path, damage)
    command = ("figure", "figure7", "--results", tmp_path, "--output", tmp_path / "figures")
    told = ended(*command, "--seeds", "{}", "--small-print", "", "--structure", path)
    assert told.startswith(f"error: {path} ") and told.endswith(f"delete {path} and run again")
    assert not (tmp_path / "figures").exists()
    remove(path)
    assert not ended("structure", path) and path.read_bytes() == written
    survived(DAMAGED, "traced blocks", ONE_LINE)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["data/digits5k.json", "paper/table3.csv", "paper/SHA256SUMS"])
def test_nothing_is_compared_with_a_damaged_file(steps, survived, name, damage):
    shutil.copytree(ROOT / "resources/paper", steps.folder / "paper")
    setup = {"data": "digits5k", "width": 1, "epochs": 2, "seeds": 1}
    command = [
        *("comparison", "--results", steps.folder / "results", "--data", steps.folder / "data"),
        *("--paper", steps.folder / "paper", "--output", steps.folder / "compared"),
        *("--setups", json.dumps({NETWORK: setup})),
    ]
    harm(steps.folder / name, damage)
    told = ended(*command)
    assert name.rpartition("/")[2] in told and told.endswith("again")
    assert not (steps.folder / "compared").exists()
    survived(DAMAGED, "data's summary, the paper's values", REFUSED)


# Whole files, but not the right ones


def test_a_checkpoint_of_another_network_is_refused(steps, survived):
    other = build(parse_network("mnist/fcn3x64"), (1, 28, 28), 10)
    with pytest.raises(InputError, match=r"another network: layer1\.linear\.bias has shape"):
        load_checkpoint(steps.experiment / "checkpoints/epoch0.safetensors", other, "")
    path = steps.experiment / "checkpoints/epoch2.safetensors"
    path.unlink()
    tensorfile.save(path, other.state_dict(), {})
    assert f"{path} is a checkpoint of another network" in steps.probe()
    survived("of another network", "published checkpoint", REFUSED)


@pytest.mark.parametrize("whose", ["seed", "training", "epoch"])
def test_a_checkpoint_of_another_training_is_refused(steps, undisturbed, tmp_path, survived, whose):
    other = replace(steps, seed=1) if whose == "seed" else steps
    name = "epoch1" if whose == "epoch" else "epoch2"
    if whose != "epoch":
        other = replace(other, folder=tmp_path / "other")
        other = replace(other, recipe=replace(steps.recipe, learning_rate=0.02))
        shutil.copytree(steps.data.parent, other.data.parent)
        assert not other.train()
    path = steps.experiment / "checkpoints/epoch2.safetensors"
    path.unlink()
    shutil.copy(other.experiment / f"checkpoints/{name}.safetensors", path)
    for reader in (steps.probe, steps.distances):
        assert f"{path} is not the checkpoint that was trained" in reader()
    remove(path)
    assert not steps.train() and steps.weights() == undisturbed.weights()
    survived(f"of another {whose}", "published checkpoint", ONE_LINE)


def test_the_folder_of_another_seed_is_refused(steps, survived):
    other = replace(steps, seed=1)
    assert not other.train()
    shutil.rmtree(steps.experiment)
    other.experiment.rename(steps.experiment)
    assert f"{steps.experiment} has the files of {NETWORK}/seed1" in steps.probe()
    survived("of another seed", "the whole folder", REFUSED)


def test_other_data_than_trained_on_is_refused(steps, survived):
    dataset = data.load(steps.data)
    data.save(replace(dataset, test_labels=dataset.test_labels.flip(0)), steps.data)
    for reader in (steps.probe, steps.joint, steps.distances):
        assert "trained on other data than digits5k: train again" in reader()
    survived("of another data set", "prepared data", REFUSED)


@pytest.mark.parametrize("whose", ["recipe", "seed"])
def test_training_never_goes_on_from_a_state_of_another(
    steps, undisturbed, capsys, survived, whose
):
    other = replace(steps, folder=steps.folder / "other", seed=int(whose == "seed"))
    if whose == "recipe":
        other = replace(other, recipe=replace(steps.recipe, learning_rate=0.02))
    shutil.copytree(steps.data.parent, other.data.parent)
    assert not other.train()
    name = "resume/state.safetensors"
    shutil.copy(other.experiment / name, steps.experiment / name)
    capsys.readouterr()
    assert not steps.train()
    assert "is of another recipe, data or code" in capsys.readouterr().err
    assert steps.weights() == undisturbed.weights()
    survived(f"of another {whose}", "resume state", STARTED_OVER)


@pytest.mark.parametrize("place", ["state", "epoch1"])
@pytest.mark.parametrize("other", ["data set", "state", "epoch0"])
def test_a_whole_file_in_a_wrong_place_of_the_resume_folder_starts_training_over(
    steps, undisturbed, survived, place, other
):
    """One of the same training too, whose fingerprint is right."""
    resume = steps.experiment / "resume"
    source = steps.data if other == "data set" else resume / f"{other}.safetensors"
    target = resume / f"{place}.safetensors"
    content = source.read_bytes()
    target.unlink()
    target.write_bytes(content)
    assert not steps.train()
    assert steps.weights() == undisturbed.weights()
    survived("another file in its place", "resume state or checkpoint", STARTED_OVER)


def test_a_checkpoint_is_no_data_set(steps, survived):
    shutil.copy(steps.experiment / "checkpoints/epoch0.safetensors", steps.data)
    assert "is not a prepared data set" in steps.train()
    summary = steps.data.with_suffix(".json")
    shutil.copy(steps.experiment / "checkpoints.json", summary)
    assert f"{summary} is not the summary of a data set" in steps.distances()
    survived("a checkpoint", "prepared data", REFUSED)


@pytest.mark.parametrize("metadata", ["[1]", "3", '"text"', "[" * 100_000])
def test_metadata_of_another_form_is_a_damaged_file(tmp_path, metadata):
    from safetensors.torch import save_file

    path = tmp_path / "file.safetensors"
    save_file({"a": torch.ones(2)}, path, {"metadata": metadata})
    with pytest.raises(InputError, match="cannot be read"):
        tensorfile.load(path)
    path = tmp_path / "file.json"
    path.write_text(metadata)
    with pytest.raises(InputError, match="cannot be read"):
        jsonfile.load(path)

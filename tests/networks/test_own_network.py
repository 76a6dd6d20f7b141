"""The command line with a network of one's own, whose initial state is known."""

import sys
import tomllib
from importlib import import_module

import pandas as pd
import pytest
import torch
from PIL import Image

from support.checkout import ROOT

MODULE = """
from torch import nn


def build():
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
"""


@pytest.fixture
def in_a_folder(tmp_path, monkeypatch):
    """Photographs of one colour, and weights that tell colours apart, beside initial ones of 0."""
    monkeypatch.chdir(tmp_path)
    for colour in ("blue", "green", "red"):
        (tmp_path / "images" / colour).mkdir(parents=True)
        for number in range(4):
            image = Image.new("RGB", (40 + number, 32), colour)
            image.save(tmp_path / "images" / colour / f"{number}.png")
    (tmp_path / "mine.py").write_text(MODULE)
    trained = {"2.weight": torch.eye(3).flip(0), "2.bias": torch.zeros(3)}
    torch.save({"epoch": 3, "state_dict": {f"module.{k}": t for k, t in trained.items()}}, "a.pt")
    torch.save({key: torch.zeros_like(tensor) for key, tensor in trained.items()}, "b.pt")


def entry_point():
    """What pyproject.toml says that the command runs."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    module, name = scripts["layer-robustness"].split(":")
    return getattr(import_module(module), name)


@pytest.mark.usefixtures("in_a_folder")
def test_reinitialization_of_an_own_network(monkeypatch):
    line = (
        "layer-robustness probe --model mine:build --checkpoint a.pt --initial b.pt --data images"
    )
    line += " --sources reinit interpolate:0.5 --num-samples 6 --input-size 3 32 32 --output out"
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

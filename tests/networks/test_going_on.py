"""A probe of any network that was stopped goes on: nothing is counted or decoded twice."""

import signal
import sys
from unittest.mock import patch

import pandas as pd
import pytest
import torch
from torch import nn

from layer_robustness import probe_network
from layer_robustness.commands import any_network
from layer_robustness.models.named import network_of
from layer_robustness.networks import inputs
from layer_robustness.probing import engine, measurement
from layer_robustness.runtime import interruption
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import EXIT_STATUS, Interrupted
from support.colour_network import write_colours, write_own_network
from support.processes import Forked, Stops, signal_after

EACH = 50  # of three colours; they are counted in micro-batches of 4, 64, 64 and 18
SOURCES = ["shuffle", "zero"]


@pytest.fixture(autouse=True)
def kept_often(monkeypatch):
    monkeypatch.setattr(measurement, "EVERY", 0)
    monkeypatch.setattr(engine, "LARGEST", 64)


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """Names of the images that were opened, in order."""
    opened, load = [], inputs.opened
    monkeypatch.setattr(inputs, "opened", lambda path: opened.append(path) or load(path))
    return opened


@pytest.fixture
def probe(tmp_path):
    """A probe of a network whose second unit can only be reset by full passes."""
    write_colours(tmp_path / "images", EACH)
    torch.manual_seed(0)
    network = Peeking()

    def run(keep=tmp_path / "kept.safetensors", sources=SOURCES) -> pd.DataFrame:
        return probe_network(
            network, tmp_path / "images", sources=sources, keep=keep and str(keep)
        ).frame

    return run


class Peeking(nn.Module):
    """Uses the weights of its last unit before it calls the unit."""

    def __init__(self):
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.first, self.last = nn.Linear(12, 12), nn.Linear(12, 3)

    def forward(self, x):
        return self.last(self.first(self.pool(x) * self.last.weight.mean(0)))


def stop(probe, number: int) -> None:
    with patch.object(interruption, "asked", Stops(number)), pytest.raises(Interrupted):
        probe()


@pytest.mark.parametrize("number", [2, 6, 11, 15, 18])
def test_the_rows_are_those_of_a_probe_that_never_stopped(probe, decoded, number):
    expected = probe(keep=None)
    everything = len(set(decoded))
    decoded.clear()
    stop(probe, number)
    before = list(decoded)
    decoded.clear()
    pd.testing.assert_frame_equal(probe(), expected, check_exact=True)
    assert set(expected["engine"]) == {"clean pass", "replay", "full pass"}
    assert everything == 3 * EACH and len(before) + len(decoded) <= everything + 2 * inputs.LOADED
    if number == 18:  # in the third micro-batch
        assert len(decoded) == everything - 4 - 64


def test_what_is_done_is_not_measured_again(probe, decoded):
    first = probe()
    decoded.clear()
    pd.testing.assert_frame_equal(probe(), first, check_exact=True)
    assert not decoded


def test_another_probe_starts_over(probe, decoded, capsys):
    stop(probe, 14)
    decoded.clear()
    frame = probe(sources=["zero"])
    assert len(decoded) == 3 * EACH and list(frame["source"].unique()) == ["trained", "zero"]
    assert "is of another measurement" in capsys.readouterr().err


SCALED = """
from torch import nn

class Scaled(nn.Linear):
    def __init__(self, by):
        super().__init__(6, 3)
        self.by = by

    def forward(self, x):
        return super().forward(x) * self.by

def build(by=1, act="Tanh"):
    return nn.Sequential(Scaled(by), getattr(nn, act)())
"""


@pytest.mark.parametrize(
    ("options", "source"),
    [({"by": 2}, SCALED), ({"act": "Sigmoid"}, SCALED), ({}, SCALED.replace("* self", "+ self"))],
    ids=["an option that no module prints", "another activation", "an edited forward"],
)
def test_another_network_with_the_same_weights_starts_over(
    tmp_path, monkeypatch, capsys, options, source
):
    data, kept = (torch.rand(9, 6), torch.zeros(9)), tmp_path / "kept.safetensors"
    frames = []
    for folder, text, given in (("before", SCALED, {}), ("after", source, options)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "scaled.py").write_text(text)
        monkeypatch.chdir(tmp_path / folder)
        monkeypatch.delitem(sys.modules, "scaled", raising=False)
        torch.manual_seed(0)
        network = network_of("scaled:build", given)
        frames.append(probe_network(network, data, sources=["zero"], keep=kept).frame)
    assert "is of another measurement" in capsys.readouterr().err
    afresh = probe_network(network, data, sources=["zero"]).frame
    pd.testing.assert_frame_equal(frames[1], afresh, check_exact=True)
    assert not frames[0].equals(afresh)


def test_a_loader_cannot_be_gone_on_with(tmp_path):
    with pytest.raises(InputError, match="keep: expected data that is a folder of images"):
        probe_network(Peeking(), iter([]), sources=["zero"], keep=tmp_path / "kept.safetensors")


def test_the_command_stops_at_a_signal_and_goes_on(tmp_path, monkeypatch):
    """At once while it gets the network, which may mean a download."""
    monkeypatch.chdir(tmp_path)
    write_own_network(tmp_path)
    write_colours(tmp_path / "images", EACH)
    arguments = "probe --model mine:build --checkpoint trained.pt --data images --sources zero "
    arguments += "--input-size 3 32 32 --device cpu --output out"
    for log, owner, name, begun in (
        (tmp_path / "early", any_network, "trained", False),
        (tmp_path / "stopped", measurement.Measurement, "keep", True),
    ):
        with monkeypatch.context() as patched:
            signal_after(patched, owner, name, signal.SIGTERM)
            stopped = Forked(any_network.main, arguments.split(), log)
        assert stopped.wait() == EXIT_STATUS
        assert "stopped by SIGTERM: run it again to go on" in log.read_text()
        assert ("units: " in log.read_text()) == begun
    assert not (tmp_path / "out/probe.csv").exists()
    assert Forked(any_network.main, arguments.split(), tmp_path / "ended").wait() == 0
    assert "goes on after 4/150" in (tmp_path / "ended").read_text()
    frame = pd.read_csv("out/probe.csv")
    assert list(frame["error"]) == [0, pytest.approx(2 / 3)] and (frame["images"] == 150).all()

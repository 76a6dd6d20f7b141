"""Memory layout and micro-batch: the faster ones are taken, and the model has its own back."""

import math
from unittest.mock import patch

import pytest
import torch
from torch import nn

from layer_robustness import probe_network
from layer_robustness.networks import pace, probe
from layer_robustness.networks.layout import layout_of
from layer_robustness.networks.pace import Pace
from layer_robustness.probing import measurement
from layer_robustness.probing.engine import Engine
from layer_robustness.runtime import interruption
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import Interrupted
from support.processes import Stops

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def always(monkeypatch):
    """Nothing is too small for trying, and what is counted is kept at once."""
    monkeypatch.setattr(pace, "WORTHWHILE", 0)
    monkeypatch.setattr(measurement, "EVERY", 0)


@pytest.fixture
def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3)),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4)),
    )


@pytest.fixture
def data():
    return torch.randn(100, 3, 8, 8), torch.arange(100) % 4


def clocked(monkeypatch, faster: str) -> None:
    """Let clean passes take a second, or two."""

    def seconds(own, _):
        return 1.0 if layout_of(own.engine.network) == faster else 2.0

    monkeypatch.setattr(Pace, "clean_pass", seconds)


@pytest.fixture
def layouts(monkeypatch) -> list[str]:
    """Layouts of the full passes that resets are held to, and of what replays run with."""
    seen = []
    for name in ("full_pass", "replayed"):
        own = getattr(Engine, name)

        def watched(engine, *arguments, own=own):
            values = [value for reset in engine.resets for value in reset.values.values()]
            plain = {value.is_contiguous() for value in values if value.ndim == 4}
            seen.append(layout_of(engine.network))
            assert plain == {seen[-1] == "contiguous"}
            return own(engine, *arguments)

        monkeypatch.setattr(Engine, name, watched)
    return seen


@pytest.mark.parametrize("faster", ["contiguous", "channels_last"])
def test_the_faster_layout_is_taken_and_the_models_own_restored(
    monkeypatch, network, data, layouts, faster
):
    clocked(monkeypatch, faster)
    network[2].to(memory_format=torch.channels_last)
    before = [(weight, weight.data_ptr(), weight.stride()) for weight in network.parameters()]
    result = probe_network(network, data, sources=["shuffle", "zero"])
    assert result.layout == faster and set(layouts) == {faster}
    assert set(result.resets["engine"]) == {"replay"}
    after = [(weight, weight.data_ptr(), weight.stride()) for weight in network.parameters()]
    assert all(a[0] is b[0] and a[1:] == b[1:] for a, b in zip(before, after, strict=True))


def test_the_models_layout_is_restored_after_an_error(monkeypatch, network, data):
    clocked(monkeypatch, "channels_last")
    with pytest.raises(InputError, match="labels go from 1 to 4"):
        probe_network(network, (data[0], data[1] + 1), sources=["zero"])
    assert layout_of(network) == "contiguous"


def test_a_layout_that_is_given_is_not_measured(monkeypatch, network, data, layouts):
    monkeypatch.delattr(Pace, "clean_pass")
    result = probe_network(network, data, sources=["zero"], layout="channels_last")
    assert result.layout == "channels_last" == layouts[0]
    with pytest.raises(InputError, match="layout is 'nhwc': expected auto, contiguous, channels"):
        probe_network(network, data, sources=["zero"], layout="nhwc")


@pytest.mark.parametrize("model", ["small", "linear"])
def test_nothing_is_measured_where_it_does_not_pay(monkeypatch, network, data, model):
    monkeypatch.delattr(Pace, "clean_pass")
    if model == "small":
        monkeypatch.setattr(pace, "WORTHWHILE", 301)  # three units, 100 images
    else:
        network = nn.Sequential(nn.Flatten(), nn.Linear(192, 4))
    assert probe_network(network, data, sources=["zero"]).layout == "contiguous"


def test_what_was_stopped_goes_on_in_its_layout(monkeypatch, network, data, tmp_path, layouts):
    def run(**given):
        keep = tmp_path / "kept.safetensors"
        return probe_network(network, data, sources=["zero"], keep=keep, **given)

    clocked(monkeypatch, "channels_last")
    with patch.object(interruption, "asked", Stops(11)), pytest.raises(Interrupted):
        run()
    layouts.clear()
    clocked(monkeypatch, "contiguous")
    result = run()
    assert result.layout == "channels_last" and set(layouts) == {"channels_last"}
    assert (result.frame["images"] == 100).all()
    assert run(layout="contiguous").layout == "contiguous"  # another probe, which starts over


def test_less_memory_helps_what_is_gone_on_with(monkeypatch, network, data, tmp_path):
    given = {"sources": ["zero"], "keep": tmp_path / "kept.safetensors"}
    monkeypatch.setattr(pace, "WORTHWHILE", math.inf)
    counted = Stops(11)  # after four images
    with patch.object(interruption, "asked", counted), pytest.raises(Interrupted):
        probe_network(network, data, **given)
    assert probe_network(network, data, **given, memory_gb=1e-4).micro_batch == 8


@pytest.mark.parametrize(
    ("seconds", "most", "expected"),
    [
        ({4: 9, 16: 9, 32: 5, 64: 7}, 250, [4, 16, 32, 64, 32, 32]),
        ({4: 1, 16: 2}, 250, [4, 16, 4, 4]),
        ({4: 9, 16: 7, 20: 6}, 20, [4, 16, 20, 20]),
        ({4: 9, 16: 5, 32: 5.1, 64: 4.9}, 64, [4, 16, 32, 64, 16, 16]),
        ({4: 9, 3: 9}, 3, [4, 3, 3]),
    ],
)
def test_micro_batches_grow_until_they_get_slower(network, seconds, most, expected):
    own = Pace(Engine(network, [*network], []), "auto", None, CPU)
    own.allow(most)
    seen = [probe.CHECKED]
    for _ in expected:
        own.took(seen[-1], seconds.get(seen[-1], math.nan) * seen[-1])
        seen.append(own.size)
    assert seen[: len(expected)] == expected

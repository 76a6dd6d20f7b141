"""The Python call: what it measures and what it refuses."""

import gc
import math
import multiprocessing
import re
import shutil
import subprocess
import sys
import weakref

import pandas as pd
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import layer_robustness
from layer_robustness.networks import inputs
from layer_robustness.probing.replay import Replay
from layer_robustness.probing.sources import States, make_sources
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import rounding_kept
from support.checkout import ROOT
from support.colour_network import write_colours
from support.networks import plain_logits

FEATURES, CLASSES = 6, 4


def fresh() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(FEATURES, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(inplace=True),
        nn.Linear(16, CLASSES),
    )


@pytest.fixture(scope="module")
def case():
    """A network that learned to name the largest of four inputs, its initial state and images."""
    torch.manual_seed(0)
    network = fresh()
    initial = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = torch.randn(300, FEATURES)
    labels = images[:, :CLASSES].argmax(1)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        optimizer.step()
    return network.eval(), initial, images, labels


def test_rows_are_what_a_plain_loop_measures(case):
    network, initial, images, labels = case
    clean = plain_logits(network, {}, images)
    frame = layer_robustness.probe_network(network, (images, labels), initial=initial).frame
    assert list(frame["unit"].unique()) == ["trained", "0", "1", "3"]
    for unit in ("0", "1", "3"):
        own = {key: tensor for key, tensor in initial.items() if key.startswith(f"{unit}.")}
        logits = plain_logits(network, own, images)
        p, q = (x.double().softmax(1) for x in (clean, logits))
        expected = {
            "error": (logits.argmax(1) != labels).double().mean(),
            "loss": nn.functional.cross_entropy(logits.double(), labels),
            "agreement": (logits.argmax(1) == clean.argmax(1)).double().mean(),
            "kl": (p * (p / q).log()).sum(1).mean(),
            "cosine": ((p * q).sum(1) / p.norm(dim=1) / q.norm(dim=1)).mean(),
        }
        row = frame[(frame["unit"] == unit) & (frame["source"] == "reinit")].iloc[0]
        for name, value in expected.items():
            assert row[name] == pytest.approx(value.item(), rel=1e-5), (unit, name)
    trained = frame.iloc[0]
    assert trained["error"] < 0.2 < frame["error"].max()
    assert (trained["agreement"], trained["kl"]) == (1, 0)
    assert list(frame["parameters"]) == [212, 112, 112, 32, 32, 68, 68]
    assert list(frame["order"]) == [0, 0, 0, 1, 1, 3, 3]  # with the ReLU
    assert (frame["images"] == 300).all() and set(frame["precision"]) == {"float32"}


def test_values_of_each_source(case):
    network, initial, _, _ = case
    states = States(network, initial, fresh, {"start": initial})
    trained = dict(network.named_parameters()) | dict(network.named_buffers())
    names = ["reinit", "start", "rerand", "shuffle", "rescaled", "zero"]
    names += ["interpolate:0", "interpolate:0.25", "interpolate:1"]
    of = {}
    for source in make_sources(names, 2, states):
        values = {name: source.value(name, tensor) for name, tensor in trained.items()}
        of[source.name, source.draw] = values
    weight, bias, mean, steps = "0.weight", "1.bias", "1.running_mean", "1.num_batches_tracked"

    def equal(source, other, name, draws=(0, 0)):
        return torch.equal(of[source, draws[0]][name], of[other, draws[1]][name])

    for name in trained:
        assert equal("reinit", "start", name)
        assert name == steps or equal("reinit", "interpolate:0", name)  # a count has no line
        assert torch.equal(of["interpolate:1", 0][name], trained[name])
    quarter = initial[weight] + 0.25 * (trained[weight] - initial[weight])
    torch.testing.assert_close(of["interpolate:0.25", 0][weight], quarter)
    assert not equal("rerand", "rerand", weight, (0, 1))
    assert of["rerand", 0][mean].eq(0).all() and of["rerand", 0][steps] == 0
    shuffled = of["shuffle", 0][weight]
    assert not torch.equal(shuffled, trained[weight])
    assert torch.equal(shuffled.flatten().sort()[0], trained[weight].flatten().sort()[0])
    assert not equal("shuffle", "shuffle", weight, (0, 1))
    torch.testing.assert_close(of["rescaled", 0][weight].norm(), trained[weight].norm())
    assert of["rescaled", 0][bias].eq(0).all()  # a fresh bias of zeros has no direction
    assert of["zero", 0][weight].eq(0).all()
    for source in ("shuffle", "rescaled", "zero"):  # parameters only
        assert torch.equal(of[source, 0][mean], trained[mean])
    # The same draws again, whatever was drawn in between; and the caller's own go on undisturbed.
    before = torch.get_rng_state()
    again = make_sources(["rerand"], 2, States(network, None, fresh))[1]
    assert torch.equal(again.value(weight, trained[weight]), of["rerand", 1][weight])
    assert torch.equal(torch.get_rng_state(), before)


def test_batches_of_a_loader_or_a_pair_and_memory_change_nothing(case):
    network, _, images, labels = case
    frame = layer_robustness.probe_network(network, (images, labels), measures=["kl"]).frame
    assert "loss" not in frame
    loader = DataLoader(TensorDataset(images, labels), batch_size=77)
    for data, memory in [(loader, 2), ((images, labels), 1e-6)]:
        other = layer_robustness.probe_network(network, data, memory_gb=memory).frame
        assert frame["error"].equals(other["error"]) and frame["images"].equals(other["images"])
        assert frame["kl"].to_numpy() == pytest.approx(other["kl"].to_numpy(), rel=1e-4)


@pytest.mark.parametrize(
    ("batches", "expected"),
    [([64, 64, 64], [4, 100, 88]), ([1] * 6, [4, 2]), ([200], [4, 100, 96]), ([4], [4])],
)
def test_micro_batches_are_as_large_as_is_asked_for(batches, expected):
    labels = torch.arange(sum(batches)).split(batches)
    sizes = iter([4, *[100] * 9])
    data = [(own.float(), own) for own in labels]
    found = list(inputs.micro_batches(data, torch.device("cpu"), sizes))
    assert [len(own) for _, own in found] == expected
    assert torch.equal(torch.cat([own for _, own in found]), torch.cat(labels))
    assert all(torch.equal(images, own) for images, own in found)


def test_images_of_other_shapes_are_in_other_micro_batches():
    data = [(torch.zeros(2, size), torch.zeros(2)) for size in (5, 5, 6, 6)]
    found = inputs.micro_batches(data, torch.device("cpu"), iter([3] * 9))
    assert [images.shape for images, _ in found] == [(3, 5), (1, 5), (3, 6), (1, 6)]


def test_the_network_is_left_as_it_was(case):
    network, initial, images, labels = case
    network[1].train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    layer_robustness.probe_network(network, (images, labels), initial=initial)
    assert [module.training for module in network] == [False, True, False, False]
    assert all(torch.equal(before[key], t) for key, t in network.state_dict().items())
    network.eval()


def test_nothing_is_held_after_the_probe(monkeypatch, case):
    network, _, images, labels = case
    begun, record = [], Replay.record

    def watched(replay, pixels):
        begun.append(weakref.ref(replay))
        return record(replay, pixels)

    monkeypatch.setattr(Replay, "record", watched)
    gc.disable()
    layer_robustness.probe_network(network, (images, labels), sources=["zero"])
    gone = [replay() is None for replay in begun]
    gc.enable()
    assert gone and all(gone)


def test_products_round_as_before(case):
    network, _, images, labels = case
    before = {torch.backends.cuda.matmul: "tf32", torch.backends.cudnn.conv: "ieee"}
    with rounding_kept():
        for part, value in before.items():
            part.fp32_precision = value
        layer_robustness.probe_network(network, (images, labels), sources=["zero"])
        assert {part: part.fp32_precision for part in before} == before
        assert torch.backends.cuda.matmul.allow_tf32  # raises where it is not the newer one's


def test_a_reset_that_puts_out_nan_is_wrong_on_every_image(case):
    network, _, images, labels = case
    broken = {key: t * math.nan for key, t in network.state_dict().items()}
    broken["1.num_batches_tracked"] = network[1].num_batches_tracked
    frame = layer_robustness.probe_network(
        network, (images, labels), states={"broken": broken}, sources=["broken"]
    ).frame
    assert frame["error"].iloc[1:].eq(1).all() and frame["loss"].iloc[1:].isna().all()
    assert frame["engine"].iloc[1:].eq("replay").all()


class ReturnsNothing(nn.Sequential):
    """Its `train` forgets to return the module, as PyTorch's does."""

    def train(self, mode=True):
        super().train(mode)


@pytest.mark.parametrize("kind", [ReturnsNothing, nn.Sequential])
def test_a_probe_within_inference_mode(case, kind):
    network, initial, images, labels = case
    expected = layer_robustness.probe_network(network, (images, labels), initial).frame
    again = kind(*network)
    with torch.inference_mode():
        found = layer_robustness.probe_network(again, (images * 1, labels), initial).frame
    pd.testing.assert_frame_equal(found, expected)


class IsRandom(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(FEATURES, CLASSES)

    def forward(self, x):
        return self.linear(x) + torch.rand(1)


def compiled_in_part():
    network = fresh()
    network[0].compile()
    return network


def built_without_versions():
    with torch.inference_mode():
        return fresh()


NETWORK, IMAGES, LABELS = fresh(), torch.randn(9, FEATURES), torch.arange(9) % CLASSES
WRONG = {
    "built inside torch.inference_mode": {"model": built_without_versions()},
    "initial equals the trained network: .*clone": {"initial": NETWORK.state_dict()},
    "fresh is a OrderedDict: expected a function": {"fresh": fresh().state_dict()},
    "fresh is a Sequential: expected a function": {"fresh": fresh()},
    "the model is compiled: expected modules as they were": {"model": torch.compile(fresh())},
    "0 is compiled": {"model": compiled_in_part()},
    "no module matches 'layr4'.*'?0": {"units": ["0", "layr4"]},
    "labels go from 1 to 4, but the network has 4 outputs": {"data": (IMAGES, LABELS + 1)},
    "expected one class an image": {"data": (IMAGES, IMAGES)},
    "9 images and 8 labels": {"data": (IMAGES, LABELS[1:])},
    "data is a TensorDataset: expected a DataLoader": {"data": TensorDataset(IMAGES, LABELS)},
    "a batch is no pair of images and labels": {"data": [*zip(IMAGES, [0] * 9, strict=False)]},
    "other logits for the same images": {"model": IsRandom()},
    "expected logits": {"model": nn.Sequential(nn.Linear(FEATURES, 2), nn.Unflatten(1, (2, 1)))},
    f"does not take images of {FEATURES} .RuntimeError.*": {"model": nn.Linear(2, CLASSES)},
    "the network has no parameters": {"model": nn.Identity()},
    "does not fit the network: '0.weight' is": {
        "initial": nn.Sequential(nn.Linear(2, 2), *fresh()[1:])
    },
    "only the state has '4.weight'": {"initial": nn.Sequential(*fresh(), nn.Linear(2, 2))},
    "source 'rernd' is unknown: expected one of": {"sources": ["rernd"]},
    "source reinit needs `initial`": {"sources": ["reinit"]},
    "source interpolate:0.5 needs `initial`": {"sources": ["interpolate:0.5"]},
    "source 'interpolate:2': expected": {"sources": ["interpolate:2"], "initial": fresh()},
    "source rerand needs `fresh`": {"sources": ["rerand"]},
    "measure 'top5' is unknown": {"measures": ["top5"]},
    "draws is 0": {"draws": 0},
    "units is empty": {"units": []},
    "sources is empty": {"sources": []},
    "model is a function: expected an nn.Module": {"model": fresh},
    "precision is 'fp16': expected float32, float64, tf32, bf16": {"precision": "fp16"},
    "float64, but the weights are torch.float32: call": {"precision": "float64"},
    "device is 'gpu': expected auto, cpu, cuda or cuda:N": {"device": "gpu"},
    "device is 'mps'": {"device": torch.device("mps")},
}


@pytest.mark.parametrize("complaint", WRONG)
def test_wrong_input_is_one_line(complaint):
    given = {"model": NETWORK, "data": (IMAGES, LABELS)} | WRONG[complaint]
    with pytest.raises(InputError, match=complaint) as error:
        layer_robustness.probe_network(**given)
    assert "\n" not in str(error.value)


def test_a_folder_of_images(tmp_path):
    write_colours(tmp_path)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3))
    of_colours = torch.eye(3).flip(0)  # folders sort as blue, green, red
    network.load_state_dict({"2.weight": of_colours, "2.bias": torch.zeros(3)})
    result = layer_robustness.probe_network(network, tmp_path, sources=["zero"])
    assert list(result.frame["error"]) == [0, pytest.approx(2 / 3)]
    (tmp_path / "blue" / "2.png").write_text("no image")
    with_a_worker = DataLoader(inputs.batches_of(tmp_path, network).dataset, num_workers=1)
    one_line = r"^\S+2.png cannot be read as an image \([^\n]+\): fetch it again$"
    for data in (tmp_path, with_a_worker):
        with pytest.raises(InputError, match=one_line) as held:
            layer_robustness.probe_network(network, data, sources=["zero"])
        assert not multiprocessing.active_children(), "it would be waited for"
        del held  # the traceback, which is alive until here
    shutil.rmtree(tmp_path / "blue")
    with pytest.raises(InputError, match="2 classes are known, but the network has 3 outputs"):
        layer_robustness.probe_network(network, tmp_path, sources=["zero"])


def test_the_summary_and_heatmap(case, tmp_path):
    network, initial, images, labels = case
    result = layer_robustness.probe_network(network, (images, labels), initial, draws=2)
    assert result.units == {"0": ["0"], "1": ["1"], "3": ["3"]}
    full = result.frame["error"].iloc[0]
    head = result.frame[result.frame["unit"] == "3"]
    error = head[head["source"] == "shuffle"]["error"].mean()
    assert result.costs("shuffle")["3"] == pytest.approx((error - full) / (0.75 - full))
    count = sum(cost > 0.2 for cost in result.costs("shuffle").values())
    assert f"Critical to shuffle, {count} of 3 units: " in result.summary()
    for path in ("resnet18.a1", "vit.png"):  # a dot in a name is no ending
        result.heatmap(tmp_path / path, "kl")
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"resnet18.a1.pdf", "resnet18.a1.png", "vit.pdf", "vit.png"}


def test_importing_the_package_imports_no_torch():
    script = "import sys, layer_robustness; print('torch' in sys.modules)"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "False\n"


def test_the_example_runs_and_says_what_the_page_says(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs/any_network.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.S)
    (printed,) = re.findall(r"```text\n(.*?)```", page, re.S)
    monkeypatch.chdir(tmp_path)
    found = {}
    assert example.count("in range(8):") == 1
    exec(example.replace("in range(8):", "in range(2):"), found)  # epochs
    # Another machine rounds otherwise, trains to other weights and finds other costs.
    lines = re.compile(r"Critical to (\w+), \d of (\d+) units: ")
    assert lines.findall(capsys.readouterr().out) == lines.findall(printed)
    assert found["result"].frame["error"].iloc[0] < 0.7
    assert set(found["result"].frame["engine"]) == {"clean pass", "replay"}
    assert (tmp_path / "vit.pdf").exists() and (tmp_path / "vit.png").exists()

"""What Figure 7 shows is what is inside the residual blocks that are trained."""

import pytest
import torch

from layer_robustness.experiments.names import parse_network
from layer_robustness.figures.registry import FIGURES
from layer_robustness.models import units
from layer_robustness.models.build import build
from layer_robustness.models.structure import residual_blocks, trace
from layer_robustness.storage import jsonfile
from support.steps import ended

RESNET50 = parse_network("cifar10/resnet50")


@pytest.fixture(scope="module")
def traced():
    return residual_blocks(RESNET50)


def labels(nodes: list[dict]) -> list[str]:
    return [node["label"] for node in nodes]


def chain(nodes: list[dict], through: str) -> list[str]:
    """Labels from the sum back to the input, by the sum's input of that name."""
    by_name = {node["name"]: node for node in nodes}
    found = []
    while through:
        found.append(by_name[through]["label"])
        through = next(iter(by_name[through]["inputs"]), "")
    return found[::-1]


def sum_of(nodes: list[dict]) -> dict:
    (found,) = (node for node in nodes if node["label"] == "+")
    return found


def test_the_block_without_downsampling(traced):
    nodes = traced["stage1.resblk2"]
    residual, skip = sum_of(nodes)["inputs"]
    assert chain(nodes, residual) == [
        *("input", "ReLU", "1x1 convolution, 64", "ReLU", "3x3 convolution, 64", "ReLU"),
        "1x1 convolution, 256",
    ]
    assert chain(nodes, skip) == ["input"]
    assert labels(nodes)[-1] == "output" and nodes[-1]["inputs"] == [sum_of(nodes)["name"]]
    assert len(nodes) == 9


def test_the_block_with_downsampling_takes_the_activated_input(traced):
    nodes = traced["stage2.resblk1"]
    residual, skip = sum_of(nodes)["inputs"]
    assert chain(nodes, residual) == [
        *("input", "ReLU", "1x1 convolution, 128", "ReLU", "3x3 convolution, 128, stride 2"),
        *("ReLU", "1x1 convolution, 512"),
    ]
    assert chain(nodes, skip) == ["input", "ReLU", "1x1 convolution, 512, stride 2"]
    first = {node["name"]: node["inputs"] for node in nodes}
    (of_skip,) = first[skip]
    (of_input,) = (node["name"] for node in nodes if node["inputs"] == ["x"])
    assert of_skip == of_input  # one activation, used by both branches


def test_only_blocks_whose_shape_changes_have_a_convolution_in_the_skip(traced):
    """And in all of them inputs come before what uses them."""
    assert set(traced) == {name for name in RESNET50.units if "resblk" in name}
    for unit, nodes in traced.items():
        skip = chain(nodes, sum_of(nodes)["inputs"][1])
        assert len(skip) == (3 if unit.endswith("resblk1") else 1)
        known = set()
        for node in nodes:
            assert known.issuperset(node["inputs"])
            known.add(node["name"])


def test_the_nodes_compute_what_the_block_computes(traced):
    """Run the traced nodes by their names and compare with the block itself."""
    network = build(RESNET50, (3, 32, 32), 10)
    for unit in ("stage1.resblk2", "stage2.resblk1"):
        block = network.get_submodule(units.residual_blocks(RESNET50)[unit])
        modules = {name.replace(".", "_"): module for name, module in block.named_modules()}
        values = {}
        for node in traced[unit]:
            inputs = [values[name] for name in node["inputs"]]
            if node["label"] == "input":
                value = torch.linspace(-1, 1, 256 * 64).reshape(1, 256, 8, 8)
                expected = block(value)
            elif node["label"] == "+":
                value = inputs[0] + inputs[1]
            elif node["label"] == "output":
                (value,) = inputs
            else:
                value = modules[node["name"]](*inputs)
            values[node["name"]] = value
        assert torch.equal(value, expected)


def test_other_modules_are_named_by_their_class():
    block = torch.nn.Sequential(torch.nn.Identity(), torch.nn.BatchNorm2d(2))
    assert labels(trace(block)) == ["input", "BatchNorm2d", "output"]


def test_the_command_writes_the_blocks_that_figure7_draws(tmp_path, traced):
    path = tmp_path / "folder/resnet50.json"
    assert not ended("structure", path)
    written = jsonfile.load(path)
    assert written == traced
    assert {panel.unit for panel in FIGURES["figure7"].panels} <= set(written)
    assert list(path.parent.iterdir()) == [path]

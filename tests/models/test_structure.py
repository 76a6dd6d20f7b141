"""What Figure 7 shows is what is inside the residual blocks that are trained."""

import pytest
import torch

from layer_robustness.experiments.names import parse_network
from layer_robustness.models import units
from layer_robustness.models.build import build
from layer_robustness.models.structure import residual_blocks, trace

RESNET50 = parse_network("cifar10/resnet50")


@pytest.fixture(scope="module")
def traced():
    return residual_blocks(RESNET50)


BLOCKS = {
    "stage1.resblk2": [
        *("input", "ReLU", "1x1 convolution, 64", "ReLU", "3x3 convolution, 64", "ReLU"),
        *("1x1 convolution, 256", "+", "output"),
    ],
    # One activation, which residual and skip take.
    "stage2.resblk1": [
        *("input", "ReLU", "1x1 convolution, 512, stride 2", "1x1 convolution, 128", "ReLU"),
        *("3x3 convolution, 128, stride 2", "ReLU", "1x1 convolution, 512", "+", "output"),
    ],
}


def test_nodes_say_what_they_do(traced):
    for unit, labels in BLOCKS.items():
        assert [node["label"] for node in traced[unit]] == labels


def test_the_nodes_compute_what_the_block_computes(traced):
    """Run the traced nodes by their names and compare with the block itself."""
    network = build(RESNET50, (3, 32, 32), 10)
    for unit in BLOCKS:
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
    assert [node["label"] for node in trace(block)] == ["input", "BatchNorm2d", "output"]

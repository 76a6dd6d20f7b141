"""How networks are cut into units, by their own names."""

import pytest
import torch
from torch import nn

from layer_robustness.models.named import network_of
from layer_robustness.probing.cut import cut


def built(name) -> nn.Module:
    """Build a network of timm's or torchvision's without any weights."""
    with torch.device("meta"):
        return network_of(name, {})


def numbered(name, count):
    return [f"{name}.{number}" for number in range(count)]


BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3, 4) for block in (0, 1)]
CUTS = {
    ("resnet18", "stage"): ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"],
    ("resnet18", "block"): ["conv1", "bn1", *BLOCKS, "fc"],
    ("resnet18", ("layer[12]", "f*")): ["layer1", "layer2", "fc"],
    ("resnet18", ("layer3.0.conv?",)): ["layer3.0.conv1", "layer3.0.conv2"],
    ("vit_tiny_patch16_224", "stage"): ["loose", "patch_embed", "blocks", "norm", "head"],
    ("vit_tiny_patch16_224", "block"): [
        *("loose", "patch_embed", *numbered("blocks", 12), "norm", "head"),
    ],
    ("vit_tiny_patch16_224", ("*_token", "pos_embed")): ["cls_token", "pos_embed"],
    ("convnext_atto", "stage"): ["stem", *numbered("stages", 4), "head"],
    ("twins_pcpvt_small", "stage"): [
        *("patch_embeds", *numbered("blocks", 4), "pos_block", "norm", "head"),
    ],
    ("torchvision:mobilenet_v3_small", "block"): [
        *(*numbered("features", 13), "classifier.0", "classifier.3"),
    ],
    ("torchvision:vit_b_16", "block"): [
        *("loose", "conv_proj"),
        *(f"encoder.layers.encoder_layer_{number}" for number in range(12)),
        *("encoder.ln", "heads.head"),
    ],
}


@pytest.mark.parametrize(("name", "units"), CUTS)
def test_units_are_called_as_the_network_calls_them(name, units):
    assert list(cut(built(name), units).units) == CUTS[name, units]


@pytest.mark.parametrize("level", ["stage", "block", "leaf"])
@pytest.mark.parametrize("name", ["coat_tiny", "hrnet_w18_small", "swin_tiny_patch4_window7_224"])
def test_each_parameter_is_in_one_unit(name, level):
    network = built(name)
    found = cut(network, level)
    names = [key for unit in found.units.values() for key in unit]
    own = dict(network.named_parameters())
    assert len(names) == len(set(names))
    assert own.keys() <= set(names)
    assert found.units.keys() == found.parts.keys()


def test_loose_tensors_are_one_unit_and_say_which():
    found = cut(built("vit_tiny_patch16_224"), "leaf")
    assert found.parts["loose"] == found.units["loose"] == ["cls_token", "pos_embed"]


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "torchvision:vit_b_16"])
def test_the_calls_of_leaves_are_kept_apart_from_what_is_around_all_blocks(name):
    """The network and torchvision's encoder own tokens or positions."""
    kept = cut(built(name), "leaf").modules
    inside = {inner for module in kept for inner in module.modules() if inner is not module}
    norms = {module for module in kept if isinstance(module, nn.LayerNorm)}
    assert len(norms) == 25 and not inside & norms


def test_a_shared_module_is_one_unit():
    shared = nn.Linear(2, 2)
    network = nn.ModuleDict({"one": shared, "two": nn.Linear(2, 2), "again": shared})
    for level in ("stage", "block", "leaf", ("*",)):
        assert list(cut(network, level).units) == ["one", "two"]

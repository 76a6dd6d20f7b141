"""Networks to probe, and what a reset means: a full pass of a changed copy."""

from collections.abc import Mapping
from copy import deepcopy

import timm
import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_small

from layer_robustness.experiments.names import Network
from layer_robustness.models.build import draw
from layer_robustness.models.units import unit_modules
from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import Engine, Reset
from layer_robustness.probing.sources import States, make_sources

CLASSES = 10
SIZE = 64
# Options of timm's networks that let them take images of 64 pixels.
SIZED = {"img_size": SIZE}
TIMM: Mapping[str, dict] = {
    "coat_tiny": SIZED,
    "convnext_atto": {},
    "densenet121": {},
    "efficientnet_lite0": {},
    "hrnet_w18_small": {},
    "levit_128s": SIZED,
    "swin_tiny_patch4_window7_224": SIZED | {"window_size": 4},
    "twins_pcpvt_small": SIZED,
    "vit_tiny_patch16_224": SIZED,
}
NAMES = (*TIMM, "mobilenet_v3_small")


def fresh(name: str) -> nn.Module:
    """Build a network; all of its parameters are drawn."""
    if name in TIMM:
        network = timm.create_model(name, num_classes=CLASSES, **TIMM[name])
    else:
        network = mobilenet_v3_small(num_classes=CLASSES)
    with torch.no_grad():  # zeros and small scales would switch whole branches off
        for parameter in network.parameters():
            parameter.add_(0.05 * torch.randn_like(parameter))
    return network


def some_images(count: int = 6) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(1))


def plain_logits(network: nn.Module, state: Mapping[str, Tensor], images: Tensor) -> Tensor:
    """Logits of a full pass of a copy of the network into which tensors of a state are loaded."""
    network.train().eval()  # nothing that is kept from the weights goes into the copy
    changed = deepcopy(network)
    tensors = changed.state_dict()
    with torch.no_grad():
        for key, tensor in state.items():
            tensors[key].copy_(tensor)
        return changed(images)


def engine_of(network: Network, images: Tensor) -> Engine:
    """One of the paper's networks in float64, with single and joint resets to three states.

    The last state is the network's own. Running statistics are those of the images.
    """
    purposes = ("rerand0", "rerand1", "initial")
    drawn = [
        draw(
            network.seed(0), "he_normal", tuple(images.shape[1:]), CLASSES, 0.125, purpose
        ).double()
        for purpose in purposes
    ]
    with torch.no_grad():
        for one in drawn:
            one.train()(images)
    named = {purpose: one.state_dict() for purpose, one in zip(purposes, drawn, strict=True)}
    final = drawn[-1]
    taken = cut(final, unit_modules(network))
    sources = make_sources(purposes, 1, States(final, named=named))
    units = list(taken.units)
    groups = [[unit] for unit in units] + [units, units[1::2], [units[0], units[-1]]]
    names = [[name for unit in group for name in taken.units[unit]] for group in groups]
    resets = [Reset("", own, source) for own in names for source in sources]
    return Engine(final, taken.modules, resets)

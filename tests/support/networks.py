"""Networks to probe, and what a reset means: a full pass of a changed copy."""

from collections.abc import Mapping
from copy import deepcopy

import timm
import torch
from torch import Tensor, nn
from torchvision.models import mobilenet_v3_small

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

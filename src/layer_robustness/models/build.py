"""From an experiment's name to its network."""

import torch
from torch import nn

from layer_robustness.experiments.names import Experiment, Network
from layer_robustness.models.fcn import fcn
from layer_robustness.models.initialization import LAWS, initialize
from layer_robustness.models.resnet import resnet
from layer_robustness.models.vgg import vgg
from layer_robustness.runtime.seeding import generator


def memory_format(
    network: Network, image_shape: tuple[int, int, int], device: torch.device
) -> torch.memory_format:
    """Layout of weights and images on a device: channels_last, which is faster for convolutions.

    Not for large images on a CPU: going back through ResNet18 in channels_last, PyTorch 2.15
    crashes there at 224 x 224 pixels, and not at 32 x 32.
    """
    crashes = device.type == "cpu" and max(image_shape[1:]) > 64
    convolves = network.kind != "fcn"
    return torch.channels_last if convolves and not crashes else torch.contiguous_format


def placed(
    model: nn.Module,
    network: Network,
    image_shape: tuple[int, int, int],
    device: torch.device,
    weights: torch.dtype,
) -> nn.Module:
    """Move a network to a device, in the layout that is fastest there."""
    layout = memory_format(network, image_shape, device)
    # Torch's stub knows no memory_format.
    return model.to(device, weights, memory_format=layout)  # pyright: ignore[reportCallIssue]


def build(
    network: Network, image_shape: tuple[int, int, int], classes: int, width: float = 1
) -> nn.Module:
    """Build a network by name; its weights are yet to be drawn or loaded.

    `width` is a factor of the channels of a VGG or ResNet; an FCN's name says its width.
    """
    if network.kind == "fcn":
        return fcn(*network.fcn_shape, image_shape, classes)
    normalized = "bn" in network.variant.split("+")
    if network.kind == "vgg":
        return vgg(network.architecture, image_shape, classes, width, normalized)
    return resnet(
        network.architecture,
        image_shape,
        classes,
        width,
        normalized,
        removed=network.treatment == "removed",
        stem="imagenet" if network.dataset == "imagenet" else "cifar",
    )


def draw(
    experiment: Experiment,
    law: str,
    image_shape: tuple[int, int, int],
    classes: int,
    width: float = 1,
    purpose: str = "initial",
) -> nn.Module:
    """Build a network and draw its weights by a key of `LAWS`; see `draw_by`."""
    network = build(experiment.network, image_shape, classes, width)
    initialize(network, LAWS[law], generator(experiment, purpose))
    return network

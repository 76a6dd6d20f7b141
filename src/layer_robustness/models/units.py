"""Which modules each of the paper's units is made of, without building anything."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from layer_robustness.experiments.architectures import (
    IDENTITY_SKIP_STAGES,
    VGG_STAGES,
    resnet_stages,
)
from layer_robustness.experiments.names import Network

Value = TypeVar("Value")
FULLY_CONNECTED = (("classifier.0",), ("classifier.2",), ("classifier.4",))


def unit_modules(network: Network) -> dict[str, tuple[str, ...]]:
    """Name the modules of each unit, first to last, in the network that `build` makes."""
    if network.kind == "fcn":
        return {unit: (unit,) for unit in network.units}
    modules = of_vgg(network) if network.kind == "vgg" else of_resnet(network)
    return dict(zip(network.units, modules, strict=True))


def of_vgg(network: Network) -> list[tuple[str, ...]]:
    """Return a convolution, with its normalization if there is one, for each block."""
    normalized = "bn" in network.variant.split("+")
    found, place = [], 0
    for blocks in VGG_STAGES[network.architecture]:
        for _ in range(blocks):
            found.append(tuple(f"features.{place + own}" for own in range(1 + normalized)))
            place += 2 + normalized  # the ReLU too
        place += 1  # pooling
    return [*found, *FULLY_CONNECTED]


def of_resnet(network: Network) -> list[tuple[str, ...]]:
    """Return the blocks between the stem and the head, with what downsamples between stages."""
    stages = resnet_stages(network.architecture, network.treatment == "removed")
    downsampling = network.architecture in IDENTITY_SKIP_STAGES
    blocks = [
        (f"stages.{stage}.blocks.{block}",)
        for stage, count in enumerate(stages)
        for block in range(count + (downsampling and stage > 0))
    ]
    return [("stem",), *blocks, ("norm", "head")]


def residual_blocks(network: Network) -> dict[str, str]:
    """Name the module that is each residual block of a ResNet, by unit."""
    units = unit_modules(network).items()
    return {unit: module for unit, (module, *_) in units if "resblk" in unit}


def state_of(modules: Sequence[str], state: Mapping[str, Value]) -> dict[str, Value]:
    """Return the part of a network's state that modules own."""
    prefixes = tuple(f"{module}." for module in modules)
    return {name: tensor for name, tensor in state.items() if name.startswith(prefixes)}

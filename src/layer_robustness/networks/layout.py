"""The memory layout of the weights of convolutions, which decides how their outputs lie too."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from layer_robustness.probing.engine import Engine

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def convolution_weights(network: nn.Module) -> list[Tensor]:
    """Return the weights that have two layouts."""
    return [
        module.weight
        for module in network.modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
    ]


def is_convolutional(network: nn.Module) -> bool:
    """Whether convolutions are many of the network's weights; a vision transformer has one."""
    weights = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    return 10 * len(convolution_weights(network)) > len(weights)


def layout_of(network: nn.Module) -> str:
    """Return the layout of the convolutions' weights."""
    plain = all(weight.is_contiguous() for weight in convolution_weights(network))
    return "contiguous" if plain else "channels_last"


def lay_out(engine: Engine, layout: str) -> None:
    """Give the convolutions' weights a layout, and the values that resets give them."""
    chosen, tensors = LAYOUTS[layout], engine.replay.weights.tensors
    weights = {id(weight) for weight in convolution_weights(engine.network)}
    for name, tensor in tensors.items():
        if id(tensor) in weights:
            tensor.data = tensor.data.contiguous(memory_format=chosen)
            for reset in engine.resets:
                if name in reset.values:
                    reset.values[name] = reset.values[name].contiguous(memory_format=chosen)


@contextmanager
def layout_kept(network: nn.Module) -> Iterator[None]:
    """Give the convolutions' weights their layout back after the block, and their own memory."""
    before = [(weight, weight.data) for weight in convolution_weights(network)]
    try:
        yield
    finally:
        for weight, data in before:
            weight.data = data

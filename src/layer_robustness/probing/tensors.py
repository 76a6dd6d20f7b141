"""The tensors of a network by name and by identity, some of which can be replaced."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

State = Mapping[str, Tensor]


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by every name they have; a shared tensor has several."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return parameters | dict(module.named_buffers(remove_duplicate=False))


def identities(module: nn.Module) -> frozenset[int]:
    """Identities of all parameters and buffers of a module and those inside it."""
    return frozenset(id(tensor) for tensor in [*module.parameters(), *module.buffers()])


def own_tensors(module: nn.Module, name: str = "") -> dict[str, Tensor]:
    """Parameters and buffers that a module of this name has itself, by their full names."""
    parameters = dict(module.named_parameters(name, recurse=False))
    return parameters | dict(module.named_buffers(name, recurse=False))


class Weights:
    """The tensors of a network by name, of which some can have other values for a while."""

    def __init__(self, network: nn.Module):
        self.tensors = named_tensors(network)
        # Some, such as timm's LeViT with its attention biases, keep what they compute from their
        # weights, and drop it in a `train` of their own.
        self.remembering = [
            module for module in network.modules() if type(module).train is not nn.Module.train
        ]

    @contextmanager
    def replaced(self, values: State) -> Iterator[None]:
        """Give tensors other values inside the block, wherever these are.

        Their data are exchanged, so that a tensor stays one and the same under all of its names.
        """
        before = {name: self.tensors[name].data for name in values}
        try:
            self._exchange(values)
            yield
        finally:
            self._exchange(before)

    def _exchange(self, values: State) -> None:
        for name, value in values.items():
            self.tensors[name].data = value.to(self.tensors[name].device)
        torch.clear_autocast_cache()  # it knows weights by identity
        for module in self.remembering:
            module.train()
            module.eval()

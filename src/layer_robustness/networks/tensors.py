"""The tensors of a network by name and by identity, and a network with some of them replaced."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy

from torch import Tensor, nn

State = Mapping[str, Tensor]


def named_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers by every name they have; a shared tensor has several."""
    parameters = dict(module.named_parameters(remove_duplicate=False))
    return parameters | dict(module.named_buffers(remove_duplicate=False))


def identities(module: nn.Module) -> frozenset[int]:
    """Identities of all parameters and buffers of a module and those inside it."""
    return frozenset(id(tensor) for tensor in [*module.parameters(), *module.buffers()])


def own_tensors(module: nn.Module) -> dict[str, Tensor]:
    """Parameters and buffers that a module has itself, not through a module inside it."""
    parameters = dict(module.named_parameters(recurse=False))
    return parameters | dict(module.named_buffers(recurse=False))


@contextmanager
def replaced(network: nn.Module, values: State) -> Iterator[None]:
    """Give tensors of the network other values inside the block.

    Their data are exchanged, so that a tensor stays one and the same under all of its names.
    """
    tensors = named_tensors(network)
    before = {name: tensors[name].data for name in values}
    try:
        for name, value in values.items():
            tensors[name].data = value
        forget(network)
        yield
    finally:
        for name, value in before.items():
            tensors[name].data = value
        forget(network)


def copy_with(network: nn.Module, values: State) -> nn.Module:
    """Return a copy of the network in which some tensors have other values.

    The other tensors are the network's own: to copy them would take longer, and memory.
    """
    forget(network)
    tensors = named_tensors(network)
    in_copy: dict[int, object] = {id(tensor): tensor for tensor in tensors.values()}
    for name, value in values.items():
        is_parameter = isinstance(tensors[name], nn.Parameter)
        in_copy[id(tensors[name])] = nn.Parameter(value.clone(), False) if is_parameter else value
    return deepcopy(network, in_copy)


def forget(network: nn.Module) -> None:
    """Drop what modules computed from their weights and kept; leaves them in evaluation mode.

    Some, such as timm's LeViT, keep attention biases until they train again.
    """
    network.train()
    network.eval()

"""The unit sequence: what a reset replaces, where a prefix can be kept."""

from collections.abc import Iterator, Mapping

from torch import Tensor, nn


class UnitSequence(nn.Module):
    """A network unit_D(... unit_2(unit_1(x))) of named units.

    Each unit owns all of its parameters and buffers, so that the state of unit `stage1.block2` is
    just what `state_dict` lists under `stage1.block2.`.

    Parameters
    ----------
    units
        Modules by name, first to last. A dot in a name makes a container, as in PyTorch.
    """

    def __init__(self, units: Mapping[str, nn.Module]):
        super().__init__()
        self.unit_names = tuple(units)
        for name, unit in units.items():
            parent = self
            *containers, own = name.split(".")
            for container in containers:
                if not hasattr(parent, container):
                    parent.add_module(container, nn.Module())
                parent = getattr(parent, container)
            parent.add_module(own, unit)

    def units(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield each unit with its name, first to last."""
        return ((name, self.get_submodule(name)) for name in self.unit_names)

    def forward(self, activation: Tensor) -> Tensor:
        """Turn images [N, C, H, W] into logits [N, classes]."""
        for _, unit in self.units():
            activation = unit(activation)
        return activation


def unit_state(state: Mapping[str, Tensor], unit: str) -> dict[str, Tensor]:
    """Return a unit's part of a network's state, under the unit's own names."""
    prefix = f"{unit}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }

"""The unit sequence: what a reset replaces, where a prefix can be kept."""

from collections.abc import Mapping

from torch import Tensor, nn


class UnitSequence(nn.Sequential):
    """A network unit_D(... unit_2(unit_1(x))) of named units.

    Each unit owns all of its parameters and buffers, so that the state of unit `layer2` is just
    what `state_dict` lists under `layer2.`.
    """

    @property
    def unit_names(self) -> tuple[str, ...]:
        """Names of the units, first to last."""
        return tuple(name for name, _ in self.named_children())


def unit_state(state: Mapping[str, Tensor], unit: str) -> dict[str, Tensor]:
    """Return a unit's part of a network's state, under the unit's own names."""
    prefix = f"{unit}."
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in state.items()
        if name.startswith(prefix)
    }

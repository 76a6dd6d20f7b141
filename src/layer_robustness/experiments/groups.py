"""Groups of units that the paper resets jointly (Figures 6, 8, 9 and 10)."""

import re

from layer_robustness.experiments.architectures import BASIC
from layer_robustness.experiments.names import Network

# A fully connected layer, or a block in its stage; stage0 and final_linear are in no group.
NUMBERED = re.compile(r"(?:stage(?P<stage>\d+)\.)?(?:layer|block|resblk)(?P<number>\d+)")

# Which units are members, by stage (0 where there is none) and number, counted from 1.
GROUPS = {
    "all_but_first": lambda stage, number: number != 1,
    "all_but_first_stages_2_3": lambda stage, number: number != 1 and stage in (2, 3),
    "two_of_three": lambda stage, number: number % 3 != 1,
    "every_second": lambda stage, number: number % 2 == 0,
}


def members(network: Network, group: str) -> tuple[str, ...]:
    """Names of a group's units; the units that are not in it form the other group.

    For a ResNet: `all_but_first` is every residual block but the first of each stage,
    `every_second` is resblk2, 4, 6, ... of each stage. For an FCN the layers are counted alike;
    `two_of_three` leaves out layers 1, 4, 7, ...
    """
    inside = GROUPS[group]

    def is_member(unit: str) -> bool:
        found = NUMBERED.fullmatch(unit)
        return bool(found) and inside(int(found["stage"] or 0), int(found["number"]))

    return tuple(filter(is_member, network.units))


def complement(network: Network, group: str) -> tuple[str, ...]:
    """Names of the units that are not in a group."""
    inside = members(network, group)
    return tuple(unit for unit in network.units if unit not in inside)


def downsampling(network: Network) -> tuple[str, ...]:
    """Names of a ResNet's blocks whose skip is a convolution, as their shape changes.

    They are the first of each stage; where blocks do not widen, stage1 has none.
    """
    blocks = tuple(unit for unit in network.units if unit.endswith(".resblk1"))
    return blocks[1:] if network.architecture in BASIC else blocks


def identity_skips(network: Network) -> tuple[str, ...]:
    """Names of a ResNet's other blocks."""
    others = downsampling(network)
    return tuple(unit for unit in network.units if "resblk" in unit and unit not in others)


def frozen_units(network: Network) -> tuple[str, ...]:
    """Names of the units that keep their initial values in training."""
    return members(network, "all_but_first") if network.treatment == "frozen" else ()

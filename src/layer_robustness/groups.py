"""Groups of units that the paper resets jointly (Figures 6, 8, 9 and 10)."""

from layer_robustness.experiments import Network

# Which positions, counted from 0, are members.
GROUPS = {
    "all_but_first": lambda position: position != 0,
    "two_of_three": lambda position: position % 3 != 0,
    "every_second": lambda position: position % 2 == 1,
}


def members(network: Network, group: str) -> tuple[str, ...]:
    """Names of a group's units; the units that are not in it form the other group.

    For an FCN: `all_but_first` is every layer but layer1; `two_of_three` leaves out layers 1, 4,
    7, ...; `every_second` is layers 2, 4, 6, ...
    """
    inside = GROUPS[group]
    return tuple(unit for position, unit in enumerate(network.units) if inside(position))


def complement(network: Network, group: str) -> tuple[str, ...]:
    """Names of the units that are not in a group."""
    inside = members(network, group)
    return tuple(unit for unit in network.units if unit not in inside)

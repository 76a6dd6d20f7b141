"""What a unit can be reset to, by name: known before a network is, and without torch."""

import re

from layer_robustness.runtime.errors import InputError

# Those that have to do with chance, so that there may be several draws.
RANDOM = ("rerand", "shuffle", "rescaled")
NAMES = "reinit, rerand, shuffle, rescaled, zero, interpolate:a (a from 0 to 1)"
PLAIN = ("reinit", "zero", *RANDOM)
INTERPOLATE = "interpolate:"
EPOCH = re.compile(r"epoch\d+")


def needs_initial(source: str) -> bool:
    """Whether a source is made from the network's state before it was trained."""
    return source == "reinit" or source.startswith(INTERPOLATE)


def place(source: str) -> float:
    """Return the place between the initial (0) and the trained weights (1) in a source's name.

    Raises `InputError` if there is none.
    """
    try:
        found = float(source.removeprefix(INTERPOLATE))
    except ValueError:
        found = -1
    if not 0 <= found <= 1:
        raise InputError(
            f"source {source!r}: expected a number from 0 to 1 behind interpolate:, as in "
            "interpolate:0.5"
        )
    return found

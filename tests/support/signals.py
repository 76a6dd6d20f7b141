"""Loops and processes that get a signal at a chosen moment."""

import contextlib
from pathlib import Path


class Stops:
    """Stands for `asked`: a signal has come when it is looked at for the n-th time."""

    def __init__(self, number: int):
        self.left = number

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0


def rank(number: int) -> int:
    """Process id of one of the processes that train together; torchrun tells them their number."""
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"\0RANK={number}\0".encode() in path.read_bytes():
                return int(path.parent.name)
    raise ProcessLookupError(number)

"""Commands, loops and processes that get a signal at a chosen moment."""

import contextlib
import signal
import subprocess
import sys
from pathlib import Path

from support.checkout import ENVIRONMENT


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


# A command that gets a signal whenever something that it calls has been done.
SIGNALLED = """
import os, pkgutil, runpy, sys

number, owner, name, command = sys.argv[1:5]
owner = pkgutil.resolve_name(owner)
plain = getattr(owner, name)

def signalled(*given):
    done = plain(*given)
    os.kill(os.getpid(), int(number))
    return done

setattr(owner, name, signalled)
sys.argv[1:5] = []
runpy.run_module(f"layer_robustness.commands.{command}", run_name="__main__", alter_sys=True)
"""


def signalled(
    number: signal.Signals, owner: str, name: str, *command: object, cwd: Path | None = None
) -> subprocess.CompletedProcess:
    """Run a command that gets a signal after each call of `name`, an attribute of `owner`."""
    words = [sys.executable, "-c", SIGNALLED, str(int(number)), owner, name, *map(str, command)]
    return subprocess.run(words, cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True)

"""Commands in forked processes, which start at once as torch is imported already."""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from layer_robustness.runtime.errors import exit_with_one_line

FORK = multiprocessing.get_context("fork")


class Forked:
    """A running command, which says in the file `log` what it would say on the terminal."""

    def __init__(self, main: Callable[[], None], arguments: Sequence[str], log: Path):
        self.process = FORK.Process(target=run, args=(main, arguments, log))
        self.process.start()
        while os.getpgid(self.process.pid) != self.process.pid:
            time.sleep(0.001)

    def stop(self, number: signal.Signals, everyone: bool = True) -> int:
        """Send a signal to all its processes, or the first alone; return the exit status."""
        (os.killpg if everyone else os.kill)(self.process.pid, number)
        return self.wait(10)

    def wait(self, seconds: float | None = None) -> int:
        """Return the exit status; negative where a signal killed it."""
        self.process.join(seconds)
        assert self.process.exitcode is not None, f"still running after {seconds} s"
        return self.process.exitcode


def run(main: Callable[[], None], arguments: Sequence[str], log: Path) -> None:
    """Be the command."""
    os.setsid()
    sys.stderr = log.open("a", buffering=1)  # by lines, as Python opens it
    sys.argv = ["command", *map(str, arguments)]
    exit_with_one_line(main)

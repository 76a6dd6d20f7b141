"""Commands in forked processes, which start at once, and signals at a chosen moment."""

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from layer_robustness.runtime.errors import exit_with_one_line

FORK = multiprocessing.get_context("fork")


class Forked:
    """A running command, which says in the file `log` what it would say on the terminal."""

    def __init__(self, main: Callable[[], None], arguments: Sequence[object], log: Path):
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


def run(main: Callable[[], None], arguments: Sequence[object], log: Path) -> None:
    """Be the command."""
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), 2)
    sys.stderr = os.fdopen(2, "w", buffering=1)  # by lines, as Python opens it
    os.setsid()
    sys.argv = ["command", *map(str, arguments)]
    exit_with_one_line(main)


def rank(command: Forked, number: int) -> int:
    """Process id of one of the processes that train together; torchrun tells them their number."""
    for process in psutil.Process(command.process.pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if process.environ().get("RANK") == str(number):
                return process.pid
    raise ProcessLookupError(number)


def signal_after(monkeypatch, owner: object, name: str, number: signal.Signals) -> None:
    """Let a process send itself a signal after each call of `name`, an attribute of `owner`."""
    plain = getattr(owner, name)

    def signalled(*given):
        done = plain(*given)
        os.kill(os.getpid(), number)
        return done

    monkeypatch.setattr(owner, name, signalled)


class Stops:
    """Stands for `asked`: a signal has come when it is looked at for the n-th time."""

    def __init__(self, number: int):
        self.left = number

    def __call__(self) -> bool:
        self.left -= 1
        return self.left == 0

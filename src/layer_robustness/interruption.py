"""Leaving in good order when a cluster, or the user, asks for it by a signal.

A signal is only noted. Work that takes long looks at `asked` between its steps, keeps what it has
and raises `Interrupted`: raised wherever the process happens to be, it would come out of other
people's code as errors of other kinds.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_STATUS = os.EX_TEMPFAIL  # 75 of sysexits.h: not done, try again
# What SLURM sends at the walltime, on scancel and before it preempts; what others send before that;
# and Ctrl-C.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

_asked_by: str | None = None
_at_once = False


class Interrupted(BaseException):
    """The signal that asks to leave; no `Exception`, so that nobody handles it by mistake."""


def notice_signals() -> None:
    """Note the signals from now on, in this process and those it forks."""
    for number in SIGNALS:
        signal.signal(number, _notice)


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes that are forked in this block never hear of the signals: the parent does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def leave_at_once() -> None:
    """Let signals raise `Interrupted` after all: for waiting, and for work that keeps nothing."""
    global _at_once
    _at_once = True


def _notice(number: int, _: object) -> None:
    global _asked_by
    again, _asked_by = asked(), signal.Signals(number).name
    if _at_once and not again:
        leave()


def asked() -> bool:
    """Whether a signal has come."""
    return _asked_by is not None


def leave() -> None:
    """Raise `Interrupted`; the signal may have come to another process that is worked with."""
    raise Interrupted(_asked_by or "a signal to another process")


def leave_if_asked() -> None:
    """Raise `Interrupted` if a signal has come."""
    if asked():
        leave()

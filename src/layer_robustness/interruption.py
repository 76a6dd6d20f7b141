"""Leaving in good order when a cluster, or the user, asks for it by a signal.

The first signal raises `Interrupted` wherever the process is: files are whole or not there
(files.py), so that nothing is lost by it. Inside `deferred` it is only noted, for code that looks
at `asked` and leaves at a moment of its own choice.
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
_deferring = False


class Interrupted(BaseException):
    """The signal that asks to leave; no `Exception`, so that nobody handles it by mistake."""


def notice_signals() -> None:
    """Let the signals raise `Interrupted` from now on, in this process and those it forks."""
    for number in SIGNALS:
        signal.signal(number, _notice)


def ignore_signals() -> None:
    """Leave it to the parent, which is asked as well, to stop this process."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _notice(number: int, _: object) -> None:
    global _asked_by
    if not asked():  # once is enough: another one would interrupt the leaving
        _asked_by = signal.Signals(number).name
        _leave_if_asked()


def _leave_if_asked() -> None:
    if asked() and not _deferring:
        leave()


def asked() -> bool:
    """Whether a signal has come."""
    return _asked_by is not None


def leave() -> None:
    """Raise `Interrupted`; the signal may have come to another process that is worked with."""
    raise Interrupted(_asked_by or "a signal to another process")


@contextmanager
def deferred(deferring: bool = True) -> Iterator[None]:
    """Note signals in this block; one that has come raises `Interrupted` at the end of it.

    `deferring=False` makes an exception to that for a block inside of such a block.
    """
    global _deferring
    before, _deferring = _deferring, deferring
    try:
        _leave_if_asked()
        yield
    finally:
        _deferring = before
    _leave_if_asked()

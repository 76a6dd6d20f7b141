"""Leaving in good order when a cluster, or the user, asks for it by a signal.

A signal ends a command at once: it raises `Interrupted` wherever the command happens to be. Work
that takes long and keeps what it has calls `note_signals` first. From then on a signal is only
noted, and the work looks at `asked` between its steps, saves and raises `Interrupted` itself.
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


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Raise `Interrupted` as soon as a signal comes in this block; after it signals are only noted.

    That holds in forked processes too, and until `note_signals` is called.
    """
    global _at_once
    for number in SIGNALS:
        signal.signal(number, _notice)
    _at_once = True
    try:
        yield
    except Exception:
        if _at_once:  # other people's code may make an error of another kind of `Interrupted`
            leave_if_asked()
        raise
    finally:
        note_signals()


def note_signals() -> None:
    """Only note signals from now on: for work that looks at `asked` and keeps what it has."""
    global _at_once
    _at_once = False


@contextmanager
def deaf_children() -> Iterator[None]:
    """Let processes that are forked in this block never hear of the signals: the parent does."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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

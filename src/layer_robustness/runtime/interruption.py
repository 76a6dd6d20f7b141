"""Stopping in good order when a cluster, or the user, sends a signal.

By default a signal raises `Interrupted` wherever the command happens to be. Work that saves its
state calls `note_signals` first. From then on a signal is only recorded; the work checks `asked`
between its steps, saves, and raises `Interrupted` itself.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_STATUS = os.EX_TEMPFAIL  # 75 of sysexits.h: not done, try again
# SLURM sends SIGTERM at the walltime, on scancel and before it preempts; some clusters send SIGUSR1
# as a warning; Ctrl-C is SIGINT.
SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)

_asked_by: str | None = None
_at_once = False


class Interrupted(BaseException):
    """A signal to stop has come. It is no `Exception`, so that no code handles it by mistake."""


@contextmanager
def leaving_at_once() -> Iterator[None]:
    """Raise `Interrupted` as soon as a signal comes in this block, until `note_signals` is called.

    This holds in forked processes too. After the block, signals are only recorded.
    """
    global _at_once
    for number in SIGNALS:
        signal.signal(number, _notice)
    _at_once = True
    try:
        yield
    except Exception:
        if _at_once:  # a library may turn `Interrupted` into an error of another kind
            leave_if_asked()
        raise
    finally:
        note_signals()


def note_signals() -> None:
    """Only record signals from now on: for work that checks `asked` and saves its state."""
    global _at_once
    _at_once = False


@contextmanager
def deaf_children() -> Iterator[None]:
    """Block the signals in processes that are forked in this block: the parent handles them."""
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
    """Raise `Interrupted`; the signal may have come to another process of the same training."""
    raise Interrupted(_asked_by or "a signal to another process")


def leave_if_asked() -> None:
    """Raise `Interrupted` if a signal has come."""
    if asked():
        leave()

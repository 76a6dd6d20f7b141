"""How commands end: in one line if the user can mend the error, and on signals."""

import sys
from collections.abc import Callable

from layer_robustness.runtime.interruption import EXIT_STATUS, Interrupted, leaving_at_once


class InputError(Exception):
    """Bad input; the message says what is wrong, what was expected and what to do, in one line."""


def in_one_line(error: Exception) -> str:
    """Return the start of an error's text."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


def exit_with_one_line(main: Callable[[], None]) -> None:
    """Run a command; an `InputError` or a failing disk ends it with one line and status 1.

    A signal to stop ends it with one line and status 75: at once, unless `main` has called
    `note_signals`.
    """
    try:
        with leaving_at_once():
            main()
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
    except Interrupted as interrupted:
        print(f"stopped by {interrupted}: run it again to go on", file=sys.stderr)
        sys.exit(EXIT_STATUS)

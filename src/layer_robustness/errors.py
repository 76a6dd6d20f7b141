"""How commands end: errors that are the user's to mend in one line, and signals."""

import sys
from collections.abc import Callable

from layer_robustness.interruption import EXIT_STATUS, Interrupted, notice_signals


class InputError(Exception):
    """Bad input; the message says what is wrong, what was expected and what to do, in one line."""


def exit_with_one_line(main: Callable[[], None]) -> None:
    """Run a command; an `InputError` or a failing disk ends it with one line and status 1.

    A signal that asks to leave ends it with one line and a status of its own, 75.
    """
    notice_signals()
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")
    except Interrupted as interrupted:
        print(f"stopped by {interrupted}: run it again to go on", file=sys.stderr)
        sys.exit(EXIT_STATUS)

"""Errors that are the user's to mend, told in one line."""

import sys
from collections.abc import Callable


class InputError(Exception):
    """Bad input; the message says what is wrong, what was expected and what to do, in one line."""


def exit_with_one_line(main: Callable[[], None]) -> None:
    """Run a command; an `InputError` or a failing disk ends it with one line and status 1."""
    try:
        main()
    except (InputError, OSError) as error:
        sys.exit(f"error: {error}")

"""How a part of the config is refused."""

from typing import NoReturn

from layer_robustness.runtime.errors import InputError


def refuse(key: str, found: str, allowed: str) -> NoReturn:
    """Raise an `InputError` that says in one line the key, what it is, and what is allowed."""
    raise InputError(f"config key {key} {found}; allowed: {allowed}")

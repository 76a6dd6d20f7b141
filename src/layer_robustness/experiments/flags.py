"""Settings as flags of a command line, and back: `--learning-rate 0.01 --milestones 30 60`."""

import argparse
import shlex
from dataclasses import MISSING, fields
from typing import Any, get_args, get_origin, get_type_hints


def flag(name: str) -> str:
    """Return the flag of a field."""
    return f"--{name.replace('_', '-')}"


def as_flags(settings: Any) -> str:
    """Write a dataclass as flags for a shell; an empty tuple is a flag without values.

    What has its default value is left out.
    """
    words = []
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value == field.default:
            continue
        words += [flag(field.name), *map(str, value if isinstance(value, tuple) else (value,))]
    return shlex.join(words)


def add_flags(parser: argparse.ArgumentParser, kind: type) -> None:
    """Add a flag for each field of a dataclass: a tuple, a choice or a plain type.

    It is required where the field has no default.
    """
    defaults = {field.name: field.default for field in fields(kind)}
    for name, hint in get_type_hints(kind).items():
        options: dict[str, Any] = {"type": hint}
        if get_origin(hint) is tuple:
            options = {"type": get_args(hint)[0], "nargs": "*"}
        elif choices := get_args(hint):
            options = {"choices": choices}
        if defaults[name] is MISSING:
            options["required"] = True
        else:
            options["default"] = defaults[name]
        parser.add_argument(flag(name), **options)


def from_flags(arguments: argparse.Namespace, kind: type) -> Any:
    """Make the dataclass of parsed arguments."""
    values = {field.name: getattr(arguments, field.name) for field in fields(kind)}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in values.items()})

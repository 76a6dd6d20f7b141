"""Networks by name, and options of their constructors as words: `depths=[2, 2, 4, 2]`."""

import ast
import re
from collections.abc import Iterable, Mapping

from layer_robustness.runtime.errors import InputError

TORCHVISION = "torchvision:"
# They load weights, where a training is to begin with what the constructor draws.
LOADING = re.compile("pretrained.*|weights.*|checkpoint_path")


def own_module(model: str) -> str:
    """Return the module of `module:function`; nothing for a network of timm or torchvision."""
    module, colon, _ = model.partition(":")
    return module if colon and not model.startswith(TORCHVISION) else ""


def as_words(options: Mapping[str, object]) -> tuple[str, ...]:
    """Write options as words; `read_words` gets them back."""
    return tuple(f"{key}={as_word(value)}" for key, value in options.items())


def as_word(value: object) -> str:
    """Write a value as Python does, and a string without quotes where nothing else is meant."""
    plain = isinstance(value, str) and value_of(value) == value
    return str(value) if plain else repr(value)


def read_words(words: Iterable[str]) -> dict[str, object]:
    """Read words such as `img_size=32`.

    Raises `InputError` if a word is no name, equals sign and value.
    """
    options = {}
    for word in words:
        key, equals, text = word.partition("=")
        if not (key.isidentifier() and equals) or LOADING.fullmatch(key):
            raise InputError(
                f"option {word!r}: expected a name and its value, as in img_size=32, but no weights"
            )
        options[key] = value_of(text)
    return options


def value_of(text: str) -> object:
    """Read a number, list, True, ...; anything else is a string."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text

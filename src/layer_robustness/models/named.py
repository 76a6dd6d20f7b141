"""Networks by name: timm's, torchvision's, or a function of one's own that builds one."""

import hashlib
import importlib
import inspect
import sys
import sysconfig
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import timm
from torch import nn
from torchvision import models

from layer_robustness.experiments.options import TORCHVISION, as_words, own_module
from layer_robustness.runtime.errors import InputError, in_one_line

# Where installed packages and Python's own modules lie.
INSTALLED = [sysconfig.get_path(name) for name in ("purelib", "platlib", "stdlib")]


def network_of(name: str, options: Mapping[str, Any]) -> nn.Module:
    """Build a network with random weights.

    Raises `InputError` if there is no such network, or it refuses its options.

    Parameters
    ----------
    name
        Of timm's, `torchvision:NAME` or `module:function`, which is looked for in the working
        directory first.
    options
        Keywords of timm's `create_model`, of torchvision's `get_model` or of the function.
    """
    build = builder(name, options)
    try:
        network = build()
    except Exception as error:  # a constructor may raise anything
        named = " ".join(["model", name, *as_words(options)])
        raise InputError(f"{named} cannot be built: {in_one_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise InputError(f"model {name} gives a {type(network).__name__}, no nn.Module")
    return network


def builder(name: str, options: Mapping[str, Any]) -> Callable[[], nn.Module]:
    """Return what builds a network, where there is one of that name."""
    if name.startswith(TORCHVISION):
        inside = name.removeprefix(TORCHVISION)
        known = models.list_models()
        if inside not in known:
            raise InputError(unknown(name, inside, known, "torchvision.models.list_models"))
        return partial(models.get_model, inside, weights=None, **options)
    if ":" in name:
        return partial(own_function(name), **options)
    if not timm.is_model(name.partition(".")[0]):
        raise InputError(unknown(name, name, timm.list_models(), "timm.list_models"))
    return lambda: timm.create_model(name, **options)


def unknown(name: str, wrong: str, known: list[str], listing: str) -> str:
    """Say that there is no such network, and which have similar names."""
    near = ", ".join(get_close_matches(wrong, known)) or listing
    return (
        f"model {name} is unknown: expected a network of timm or torchvision:NAME ({near}), or "
        "module:function, a function of yours that builds one"
    )


def own_function(name: str) -> Callable[..., nn.Module]:
    """Return the function `module:function`, of a module in the working directory or installed.

    Python goes on to look in that directory, for what the function imports once it is called.
    """
    module, _, function = name.partition(":")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), function)
    except (ImportError, AttributeError, ValueError) as error:
        raise InputError(f"model {name} cannot be imported: {error}") from error


def check_origin(name: str) -> None:
    """Refuse to call what is neither a class of networks nor a function of one's own.

    Names come from manifests too, which may be anybody's: calling `os:system` would run anything.
    """
    if not own_module(name):
        return
    found = own_function(name)
    if inspect.isclass(found) and issubclass(found, nn.Module):
        return
    if inspect.isfunction(found):
        file, installed = Path(found.__code__.co_filename).resolve(), map(Path, INSTALLED)
        if not any(file.is_relative_to(folder.resolve()) for folder in installed):
            return
    raise InputError(
        f"model {name} is neither a class of networks (nn.Module) nor a function of yours: write "
        "a function in a module of the working directory that builds it"
    )


def own_source(name: str) -> str:
    """SHA-256 of the file with the function `module:function`; nothing for other names.

    What the file imports does not count.
    """
    if not (module := own_module(name)):
        return ""
    own_function(name)
    file = getattr(sys.modules[module], "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""

"""The configuration, checked as a whole before any job runs."""

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.recipe import FOLDER, IN_MEMORY, Recipe
from layer_robustness.experiments.sweeps import SWEEPS, job_of
from layer_robustness.runtime.errors import InputError

# JSON Schema counts 5.0 as an integer; torch and range do not.
Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)

RECIPE_KEYS = ("seeds", *(key for key in Recipe.__dataclass_fields__ if key != "precision"))


def check(config: dict, schema: dict, networks: Iterable[Network]) -> None:
    """Refuse a config with a wrong key, type or value, or a recipe that makes no sense.

    Parameters
    ----------
    networks
        The networks that the figures and tables need.

    Raises
    ------
    InputError
        In one line: the key, its value, and what is allowed.
    """
    for key, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"config key {key} is {value}; allowed: a finite number")
    errors = list(Validator(schema).iter_errors(config))
    if errors:
        raise InputError(explain(min(errors, key=lambda error: (len(error.path), str(error.path)))))
    check_imagenet_path(config["imagenet_path"])
    networks = sorted(networks)
    for pattern in config["training"]:
        check_pattern(pattern, networks)
    for pattern in config["networks"]:
        check_filter(pattern, networks)
    for network in networks:
        if runs(config, network):
            recipe_of(config, network)
    for name, members in SWEEPS.items():
        if runs(config, members[0]):
            check_sweep(config, name, members)


def check_imagenet_path(path: str | None) -> None:
    """Refuse a path that is not that of ImageNet's folder."""
    missing = [name for name in ("train", "val") if path and not Path(path, name).is_dir()]
    if missing:
        raise InputError(
            f"config key imagenet_path is {path!r}, where there is no folder {missing[0]}/; "
            "allowed: null, or a folder with train/ and val/, each with a folder for each class"
        )


def check_sweep(config: dict, name: str, members: Sequence[Network]) -> None:
    """Refuse a sweep whose networks have different recipes, as one job trains them."""
    first = settings_of(config, members[0])
    for network in members:
        if settings_of(config, network) != first:
            raise InputError(
                f"config key training gives {network} another recipe than {members[0]}; allowed: "
                f"one recipe for all networks of the sweep {name}"
            )


def runs(config: dict, network: Network) -> bool:
    """Whether a network is trained: the config asks for it, and its data can be had."""
    asked = any(fnmatchcase(job_of(network), pattern) for pattern in config["networks"])
    return asked and not missing_source(config, network.dataset)


def missing_source(config: dict, dataset: str) -> str:
    """Say why a data set cannot be had; nothing if it can."""
    if config["datasets"][dataset] == "imagenet" and not config["imagenet_path"]:
        return "no ImageNet path configured (imagenet_path)"
    return ""


def in_folder(config: dict, dataset: str) -> bool:
    """Whether the images are files in a folder, too many for the memory."""
    return config["datasets"][dataset] == "imagenet"


def leaves(value: object, key: str = "") -> Iterator[tuple[str, object]]:
    """Yield every value that is neither mapping nor list, with its dotted key."""
    if isinstance(value, dict):
        for name, item in value.items():
            if not isinstance(name, str):
                raise InputError(
                    f"config key {key}.{name!r} is a {type(name).__name__}; allowed: a string"
                )
            yield from leaves(item, f"{key}.{name}" if key else name)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, key)
    else:
        yield key, value


def explain(error: ValidationError) -> str:
    """Say in one line which key is wrong, what it is, and what is allowed."""
    key = ".".join(map(str, error.absolute_path))
    schema: Any = error.schema  # jsonschema allows for more than there is in ours
    value: Any = error.instance
    if error.validator == "additionalProperties":
        allowed = schema["properties"]
        unknown = next(name for name in value if name not in allowed)
        near = difflib.get_close_matches(str(unknown), allowed, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        key = f"{key}.{unknown}" if key else unknown
        return f"config key {key} is unknown{hint}; allowed: {', '.join(allowed)}"
    if error.validator == "required":
        missing = next(name for name in schema["required"] if name not in value)
        key = f"{key}.{missing}" if key else missing
        wanted = allowed_by(schema["properties"][missing])
        return f"config key {key} is missing; allowed: {wanted}"
    return f"config key {key} is {value!r}; allowed: {allowed_by(schema)}"


def allowed_by(schema: dict) -> str:
    """Put a schema's demands into words."""
    if "enum" in schema:
        return ", ".join(map(str, schema["enum"]))
    kinds = {
        "null": "null",
        "integer": "an integer",
        "number": "a number",
        "string": "a string",
        "array": "a list without repetitions",
        "object": "a mapping",
    }
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = " or ".join(kinds[name] for name in types)
    words = {
        "minItems": "of at least {}",
        "minimum": ">= {}",
        "exclusiveMinimum": "> {}",
        "maximum": "<= {}",
        "exclusiveMaximum": "< {}",
        "pattern": "matching {}",
    }
    demands = [text.format(schema[word]) for word, text in words.items() if word in schema]
    if "items" in schema:
        demands.append(f"of values that are each {allowed_by(schema['items'])}")
    return " ".join([kind, " and ".join(demands)]).strip()


def check_pattern(pattern: str, networks: Iterable[Network]) -> None:
    """Refuse a pattern of `training` that has no effect."""
    if not (any(fnmatchcase(str(network), pattern) for network in networks) or is_network(pattern)):
        raise InputError(
            f"config key training.{pattern!r} matches no network; allowed: a network's name, or a "
            f"pattern that matches one of {', '.join(map(str, networks))}"
        )


def is_network(name: str) -> bool:
    """Whether this is the name of a network, of the paper's or another one."""
    try:
        parse_network(name)
    except InputError:
        return False
    return True


def check_filter(pattern: str, networks: Iterable[Network]) -> None:
    """Refuse a pattern of `networks` that chooses nothing."""
    jobs = dict.fromkeys(map(job_of, networks))
    if not any(fnmatchcase(job, pattern) for job in jobs):
        raise InputError(
            f"config key networks has {pattern!r}, which matches nothing; allowed: patterns that "
            f"match some of {', '.join(jobs)}"
        )


def settings_of(config: dict, network: Network) -> dict:
    """Merge the entries of `training` that match a network.

    Its own name counts most, then the longer of two patterns.
    """
    patterns = [name for name in config["training"] if fnmatchcase(str(network), name)]
    merged = {}
    for pattern in sorted(patterns, key=lambda name: (name == str(network), len(name))):
        merged |= config["training"][pattern]
    missing = [key for key in RECIPE_KEYS if key not in merged]
    if missing:
        raise InputError(
            f"config key training has no {missing[0]} for {network}; allowed: a value of it under "
            f"a pattern that matches {network}"
        )
    return merged


def seeds_of(config: dict, network: Network) -> int:
    """Return how many seeds of a network are trained: 0, 1, ..."""
    return settings_of(config, network)["seeds"]


def recipe_of(config: dict, network: Network) -> Recipe:
    """Return a network's recipe.

    Raises
    ------
    InputError
        If a hyperparameter is missing or does not fit the network, its data or another one.
    """
    settings = {key: value for key, value in settings_of(config, network).items() if key != "seeds"}
    epochs, checkpoints = settings["epochs"], sorted(settings["checkpoints"])
    if not {0, epochs} <= set(checkpoints) or checkpoints[-1] > epochs:
        raise InputError(
            f"config key training.checkpoints is {settings['checkpoints']} for {network}; allowed: "
            f"epochs from 0 to {epochs}, both among them, as epochs is {epochs}"
        )
    if network.kind == "fcn" and settings["width"] != 1:
        raise InputError(
            f"config key training.width is {settings['width']} for {network}; allowed: 1, as the "
            "name says the width of an FCN"
        )
    allowed = FOLDER if in_folder(config, network.dataset) else IN_MEMORY
    if settings["augmentation"] not in allowed:
        raise InputError(
            f"config key training.augmentation is {settings['augmentation']} for {network}; "
            f"allowed for images of {config['datasets'][network.dataset]}: {', '.join(allowed)}"
        )
    return Recipe(
        **{
            **settings,
            "checkpoints": tuple(checkpoints),
            "milestones": tuple(sorted(settings["milestones"])),
            # the paper uses weight decay only where a variant's name says so
            "weight_decay": settings["weight_decay"] if "wd" in network.variant.split("+") else 0,
        },
        precision=config["precision"],
    )

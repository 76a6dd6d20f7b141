"""The configuration, checked as a whole before any job runs."""

import difflib
import math
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError, validators

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR, FOLDER, IN_MEMORY, Recipe
from layer_robustness.experiments.sweeps import SWEEPS, job_of
from layer_robustness.planning.beyond import check_entries, check_epochs, entries, own_networks
from layer_robustness.runtime.errors import InputError

# JSON Schema counts 5.0 as an integer; torch and range do not.
Validator = validators.extend(
    Draft202012Validator,
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine(
        "integer", lambda _, value: isinstance(value, int) and not isinstance(value, bool)
    ),
)

# What `training` says of every network.
GIVEN = ("precision", "model", "options")
RECIPE_KEYS = ("seeds", *(key for key in Recipe.__dataclass_fields__ if key not in GIVEN))
# What it says of the paper's only: others are as wide as their options, and draw their own weights.
OF_THE_PAPERS = ("width", "initial_law")


def check(config: dict, schema: dict, networks: Iterable[Network]) -> None:
    """Refuse a config with a wrong key, type or value, or a recipe that makes no sense.

    An `InputError` says in one line the key, its value, and what is allowed; here and in what else
    refuses a part of the config.

    Parameters
    ----------
    networks
        The networks that the figures and tables need.
    """
    for key, value in leaves(config):
        if isinstance(value, float) and not math.isfinite(value):
            raise InputError(f"config key {key} is {value}; allowed: a finite number")
    errors = list(Validator(schema).iter_errors(config))
    if errors:
        raise InputError(explain(min(errors, key=lambda error: (len(error.path), str(error.path)))))
    check_imagenet_path(config["imagenet_path"])
    check_entries(config)
    networks = [*sorted(networks), *own_networks(config)]
    for pattern in config["training"]:
        check_pattern(pattern, networks)
    for pattern in config["networks"]:
        check_filter(pattern, networks, config)
    for network in networks:
        if runs(config, network):
            recipe_of(config, network)
    for name, members in SWEEPS.items():
        if runs(config, members[0]):
            check_sweep(config, name, members)
    for entry in entries(config).values():
        if entry.network and asked(config, entry.job):
            check_epochs(entry, recipe_of(config, entry.network).checkpoints)


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
    return asked(config, job_of(network)) and not missing_source(
        config, dataset_of(config, network)
    )


def asked(config: dict, job: str) -> bool:
    """Whether the filter `networks` lets a job through."""
    return any(fnmatchcase(job, pattern) for pattern in config["networks"])


def dataset_of(config: dict, network: Network) -> str:
    """Return a network's data set, which its entry says if it is not the paper's."""
    return config["beyond"][network.model]["data"] if network.kind == "own" else network.dataset


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
        "array": "a list without repetitions" if schema.get("uniqueItems") else "a list",
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
    """Whether this is the name of a network that could be the paper's."""
    try:
        return parse_network(name).kind != "own"
    except InputError:
        return False


def check_filter(pattern: str, networks: Iterable[Network], config: dict) -> None:
    """Refuse a pattern of `networks` that chooses nothing."""
    jobs = dict.fromkeys(map(job_of, networks))
    jobs |= dict.fromkeys(entry.job for entry in entries(config).values())
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
    if network.kind == "own":
        check_own(config, network, patterns)
        merged |= {"width": 1, "initial_law": CONSTRUCTOR}
    missing = [key for key in RECIPE_KEYS if key not in merged]
    if missing:
        raise InputError(
            f"config key training has no {missing[0]} for {network}; allowed: a value of it under "
            f"a pattern that matches {network}"
        )
    return merged


def check_own(config: dict, network: Network, patterns: Iterable[str]) -> None:
    """Refuse what a recipe cannot say of a network beyond the paper."""
    for pattern in patterns:
        for key in OF_THE_PAPERS:
            if pattern.startswith(f"{network.dataset}/") and key in config["training"][pattern]:
                raise InputError(
                    f"config key training.{pattern}.{key} is for the paper's networks; allowed: "
                    f"options of beyond.{network.model}, with which its constructor is called"
                )


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
    dataset = dataset_of(config, network)
    allowed = FOLDER if in_folder(config, dataset) else IN_MEMORY
    if settings["augmentation"] not in allowed:
        raise InputError(
            f"config key training.augmentation is {settings['augmentation']} for {network}; "
            f"allowed for images of {config['datasets'][dataset]}: {', '.join(allowed)}"
        )
    if network.kind == "own":
        entry = entries(config)[network.model]
        built = {"model": entry.model, "options": entry.options}
    else:
        built = {}
    return Recipe(
        **{
            **settings,
            "checkpoints": tuple(checkpoints),
            "milestones": tuple(sorted(settings["milestones"])),
            "weight_decay": settings["weight_decay"] if decays(network) else 0,
            **built,
        },
        precision=config["precision"],
    )


def decays(network: Network) -> bool:
    """Whether weight decay is used: of the paper's networks where a variant's name says so."""
    return network.kind == "own" or "wd" in network.variant.split("+")

"""The configuration, checked as a whole before any job runs."""

import difflib
import math
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, NoReturn

from jsonschema import Draft202012Validator, ValidationError, validators

from layer_robustness.experiments.names import BEYOND, Network, parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR, FOLDER, IN_MEMORY, Recipe
from layer_robustness.experiments.sweeps import job_of, networks_of
from layer_robustness.planning.beyond import Entry, check_entries, check_epochs, entries
from layer_robustness.planning.refusal import refuse
from layer_robustness.runtime.errors import InputError


def is_integer(_: object, value: object) -> bool:
    """JSON Schema counts 5.0 as an integer; torch and range do not."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(_: object, value: object) -> bool:
    """Bounds let NaN through, as it is neither below nor above any."""
    return is_integer(_, value) or (isinstance(value, float) and math.isfinite(value))


TYPES = Draft202012Validator.TYPE_CHECKER.redefine_many(
    {"integer": is_integer, "number": is_number}
)
Validator = validators.extend(Draft202012Validator, type_checker=TYPES)

# Sources whose images are files in a folder, too many for the memory.
FOLDERS = ("imagenet",)
# What `training` says of every network.
GIVEN = ("precision", "model", "options")
RECIPE_KEYS = ("seeds", *(key for key in Recipe.__dataclass_fields__ if key not in GIVEN))
# What it says of the paper's only: others are as wide as their options, and draw their own weights.
OF_THE_PAPERS = ("width", "initial_law")


def check(config: dict, schema: dict, networks: Iterable[Network]) -> None:
    """Refuse a config with a wrong key, type or value, or a recipe that makes no sense.

    `networks` are those that the figures and tables need.
    """
    if errors := list(Validator(schema).iter_errors(config)):
        explain(min(errors, key=lambda error: (len(error.path), str(error.path))))
    check_imagenet_path(config["imagenet_path"])
    check_entries(config)
    shown = sorted(networks)
    known = [*shown, *networks_of_entries(entries(config).values())]
    for pattern, settings in config["training"].items():
        check_pattern(pattern, settings, list(dict.fromkeys(known)))
    for pattern in config["networks"]:
        check_filter(pattern, shown, config)
    for job in jobs(config, shown):
        check_job(config, job)
    for entry in probed(config):
        if entry.network:
            check_epochs(entry, recipe_of(config, entry.network).checkpoints)


def check_imagenet_path(path: str | None) -> None:
    """Refuse a path that is not that of ImageNet's folder."""
    for name in ("train", "val"):
        if path and not Path(path, name).is_dir():
            refuse(
                "imagenet_path",
                f"is {path!r}, where there is no folder {name}/",
                "null, or a folder with train/ and val/, each with a folder for each class",
            )


def check_job(config: dict, name: str) -> None:
    """Refuse a job with a wrong recipe, or a sweep with several, as it is trained as a whole."""
    first, *_ = members = networks_of(name)
    for network in members:
        recipe_of(config, network)
        if settings_of(config, network) != settings_of(config, first):
            found = f"gives {network} another recipe than {first}"
            refuse("training", found, f"one recipe for all networks of the sweep {name}")


def jobs(config: dict, shown: Iterable[Network]) -> list[str]:
    """Name all jobs that run: of networks that are shown, and of those that entries probe."""
    networks = [network for network in shown if runs(config, network)]
    networks += networks_of_entries(probed(config))
    return list(dict.fromkeys(map(job_of, networks)))


def probed(config: dict) -> list[Entry]:
    """Return the entries that are asked for, if the data of their networks can be had."""
    return [
        entry
        for entry in entries(config).values()
        if asked(config, entry.job) and not (entry.network and missing_data(config, entry.network))
    ]


def networks_of_entries(found: Iterable[Entry]) -> list[Network]:
    """Return the trained networks that entries probe."""
    return [entry.network for entry in found if entry.network]


def runs(config: dict, network: Network) -> bool:
    """Whether a network is trained: the config asks for it, and its data can be had."""
    return asked(config, job_of(network)) and not missing_data(config, network)


def asked(config: dict, job: str) -> bool:
    """Whether the filter `networks` lets a job through."""
    return any(fnmatchcase(job, pattern) for pattern in config["networks"])


def dataset_of(config: dict, network: Network) -> str:
    """Return a network's data set, which its entry says if it is not the paper's."""
    return config["beyond"][network.model]["data"] if network.kind == "own" else network.dataset


def source_of(config: dict, network: Network) -> str:
    """Return the source of images that stands for a network's data set."""
    return config["datasets"][dataset_of(config, network)]


def missing_data(config: dict, network: Network) -> str:
    """Say why a network's data cannot be had; nothing if they can."""
    if source_of(config, network) in FOLDERS and not config["imagenet_path"]:
        return "no ImageNet path configured (imagenet_path)"
    return ""


def explain(error: ValidationError) -> NoReturn:
    """Refuse the config for a key that the schema does not allow."""
    path = [*error.absolute_path]
    schema: Any = error.schema  # jsonschema allows for more than there is in ours
    value: Any = error.instance
    if error.validator == "additionalProperties":
        known = schema["properties"]
        path.append(next(name for name in value if name not in known))
        near = difflib.get_close_matches(str(path[-1]), known, 1)
        hint = f" (did you mean {near[0]}?)" if near else ""
        refuse(dotted(path), f"is unknown{hint}", ", ".join(known))
    if error.validator == "required":
        path.append(next(name for name in schema["required"] if name not in value))
        raise InputError(f"config key {dotted(path)} is missing")
    raise InputError(f"config key {dotted(path)}: {error.message}")


def dotted(path: Iterable[object]) -> str:
    """Join the keys that lead to a value."""
    return ".".join(map(str, path))


def check_pattern(pattern: str, settings: Mapping, networks: Iterable[Network]) -> None:
    """Refuse a pattern of `training` that has no effect, or says what only the paper's need."""
    if not (any(fnmatchcase(str(network), pattern) for network in networks) or is_papers(pattern)):
        names = ", ".join(map(str, networks))
        allowed = f"a network's name, or a pattern that matches one of {names}"
        refuse(f"training.{pattern!r}", "matches no network", allowed)
    for key in OF_THE_PAPERS if pattern.startswith(f"{BEYOND}/") else ():
        if key in settings:
            allowed = "options of an entry of beyond, with which its constructor is called"
            refuse(f"training.{pattern}.{key}", "is for the paper's networks", allowed)


def is_papers(name: str) -> bool:
    """Whether this is the name of a network that could be the paper's."""
    try:
        return parse_network(name).kind != "own"
    except InputError:
        return False


def check_filter(pattern: str, networks: Iterable[Network], config: dict) -> None:
    """Refuse a pattern of `networks` that chooses nothing."""
    jobs = [*map(job_of, networks), *(entry.job for entry in entries(config).values())]
    if not any(fnmatchcase(job, pattern) for job in jobs):
        allowed = f"patterns that match some of {', '.join(dict.fromkeys(jobs))}"
        refuse("networks", f"has {pattern!r}, which matches nothing", allowed)


def settings_of(config: dict, network: Network) -> dict:
    """Merge the entries of `training` that match a network.

    Its own name counts most, then the longer of two patterns.
    """
    patterns = [name for name in config["training"] if fnmatchcase(str(network), name)]
    merged = {}
    for pattern in sorted(patterns, key=lambda name: (name == str(network), len(name))):
        merged |= config["training"][pattern]
    if network.kind == "own":
        merged |= {"width": 1, "initial_law": CONSTRUCTOR}
    for key in RECIPE_KEYS:
        if key not in merged:
            allowed = f"a value of it under a pattern that matches {network}"
            refuse("training", f"has no {key} for {network}", allowed)
    return merged


def recipe_of(config: dict, network: Network) -> Recipe:
    """Return a network's recipe.

    Raises `InputError` if a hyperparameter is missing or does not fit the network, its data or
    another one.
    """
    settings = settings_of(config, network)
    epochs, checkpoints = settings["epochs"], sorted(settings["checkpoints"])
    if not {0, epochs} <= set(checkpoints) or checkpoints[-1] > epochs:
        refuse(
            "training.checkpoints",
            f"is {settings['checkpoints']} for {network}",
            f"epochs from 0 to {epochs}, both among them, as epochs is {epochs}",
        )
    if settings["warmup"] > epochs:
        found = f"is {settings['warmup']} for {network}"
        refuse("training.warmup", found, f"0 to {epochs}, as epochs is {epochs}")
    if network.kind == "fcn" and settings["width"] != 1:
        found = f"is {settings['width']} for {network}"
        refuse("training.width", found, "1, as the name says the width of an FCN")
    source = source_of(config, network)
    fitting = FOLDER if source in FOLDERS else IN_MEMORY
    if (augmentation := settings["augmentation"]) not in fitting:
        raise InputError(
            f"config key training.augmentation is {augmentation} for {network}; "
            f"allowed for images of {source}: {', '.join(fitting)}"
        )
    recipe = {key: value for key, value in settings.items() if key != "seeds"}
    recipe["checkpoints"] = tuple(checkpoints)
    recipe["milestones"] = tuple(sorted(settings["milestones"]))
    if network.kind == "own":
        entry = entries(config)[network.model]
        recipe |= {"model": entry.model, "options": entry.words}
    elif "wd" not in network.variant.split("+"):
        recipe["weight_decay"] = 0
    return Recipe(**recipe, precision=config["precision"])

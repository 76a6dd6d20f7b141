"""Networks beyond the paper: the entries of the config's `beyond`, checked without building any."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from layer_robustness.experiments.flags import flag
from layer_robustness.experiments.names import BEYOND, DATASETS, ENTRY, Network, parse_network
from layer_robustness.experiments.options import LOADING, as_words, own_module
from layer_robustness.experiments.sources import (
    EPOCH,
    INTERPOLATE,
    NAMES,
    PLAIN,
    RANDOM,
    needs_initial,
    place,
)
from layer_robustness.runtime.errors import InputError

PRETRAINED = "pretrained"
UNITS, SOURCES = ("block",), ("rerand", "shuffle")


@dataclass(frozen=True)
class Entry:
    """What is probed: a network that is trained for it, another's units, or weights from a file.

    given
        The entry in the config.
    """

    name: str
    given: Mapping

    @property
    def job(self) -> str:
        """Its own name among jobs, networks and results: `beyond/vit`."""
        return f"{BEYOND}/{self.name}"

    @property
    def network(self) -> Network | None:
        """The trained network that is probed: its own, or that of `of`; none for given weights."""
        if "weights" in self.given:
            return None
        return parse_network(self.base if "of" in self.given else self.job)

    @property
    def base(self) -> str:
        """What `of` names, an entry or a network, by its full name."""
        of = self.given["of"]
        return of if "/" in of else f"{BEYOND}/{of}"

    @property
    def trained(self) -> bool:
        """Whether a network is trained for this entry itself."""
        return not {"of", "weights"} & set(self.given)

    @property
    def model(self) -> str:
        """Name of a network of timm, `torchvision:NAME` or `module:function`; of its own entry."""
        return self.given["model"]

    @cached_property
    def options(self) -> tuple[str, ...]:
        """Options of the constructor, as words."""
        return as_words(self.given.get("options", {}))

    @property
    def own_source(self) -> list[str]:
        """The file in the working directory that defines `module:function`, if it is there."""
        path = own_module(self.model).replace(".", "/")
        files = (f"{path}.py", f"{path}/__init__.py") if path else ()
        return [file for file in files if Path(file).is_file()][:1]

    @property
    def data(self) -> str:
        """A data set, or with given weights a folder of images; of its own entry."""
        return self.given["data"]

    @property
    def images(self) -> dict:
        """Options of the command line that say how a folder's images are prepared."""
        return self.given.get("images", {})

    @property
    def files(self) -> list[str]:
        """Files that it is probed from, besides what is trained: weights, class names, source."""
        weights = self.given.get("weights", PRETRAINED)
        found = [] if weights == PRETRAINED else [weights]
        found += [self.images["class_map"]] if "class_map" in self.images else []
        return found + (self.own_source if "model" in self.given else [])

    @property
    def flags(self) -> str:
        """How it is probed, as flags for a shell: all but where its network and images are."""
        words = ["--units", *self.units, "--sources", *self.sources, "--draws", str(self.draws)]
        if self.network:
            return shlex.join(["--experiment", str(self.network.seed(0)), *words])
        words += ["--model", self.model]
        words += ["--options", *self.options] if self.options else []
        if self.given["weights"] != PRETRAINED:
            words += ["--checkpoint", self.given["weights"]]
        for name, value in self.images.items():
            words += [flag(name), *map(str, value if isinstance(value, list) else [value])]
        return shlex.join(words)

    @property
    def units(self) -> tuple[str, ...]:
        """A level or patterns of module names."""
        return tuple(self.given.get("units", UNITS))

    @property
    def sources(self) -> tuple[str, ...]:
        """What units are reset to."""
        return tuple(self.given.get("sources", SOURCES))

    @property
    def draws(self) -> int:
        """Draws of each source that has to do with chance."""
        return self.given.get("draws", 1)

    @property
    def stored_draws(self) -> int:
        """Fresh draws that it needs of the trained network."""
        return self.draws if set(self.sources) & set(RANDOM) else 0


def entries(config: Mapping) -> dict[str, Entry]:
    """Return all entries by their names."""
    return {name: Entry(name, given) for name, given in config["beyond"].items()}


def own_networks(config: Mapping) -> list[Network]:
    """Return the networks that are trained for entries."""
    found = entries(config).values()
    return [Network(BEYOND, entry.name) for entry in found if entry.trained]


def check_entries(config: Mapping) -> None:
    """Refuse an entry that cannot be trained or probed."""
    found = entries(config)
    for entry in found.values():
        if not ENTRY.fullmatch(entry.name):
            wrong(entry, "", "no name of a file", "letters, digits, and . _ - behind the first")
        if "of" in entry.given:
            check_other_units(entry, found)
        else:
            check_network(entry, config)
        for source in entry.sources:
            check_source(entry, source)


def check_other_units(entry: Entry, found: Mapping[str, Entry]) -> None:
    """Refuse an entry that is of no trained network, or says what that network's own entry says."""
    for key in ("model", "options", "weights", "data", "images"):
        if key in entry.given:
            wrong(entry, key, f"{entry.given[key]!r} beside of", "none: of says which network")
    trained = [name for name, other in found.items() if other.trained]
    of = entry.given["of"]
    allowed = f"a trained entry ({', '.join(trained) or 'there is none'}) or a network's name"
    if of not in trained and "/" not in of:
        wrong(entry, "of", f"{of!r}, which is no trained entry", allowed)
    try:
        known = parse_network(entry.base)
    except InputError as error:
        raise InputError(f"config key beyond.{entry.name}.of: {error}") from None
    if known.kind == "own" and known.model not in trained:
        wrong(entry, "of", f"{of!r}, which is no trained entry", allowed)


def check_network(entry: Entry, config: Mapping) -> None:
    """Refuse a network without a name, data, or either weights or a recipe."""
    for key, allowed in (
        ("model", "a network of timm, torchvision:NAME or module:function"),
        ("data", f"{', '.join(DATASETS)}, or with weights a folder of images"),
    ):
        if key not in entry.given:
            wrong(entry, key, "missing", f"{allowed}; or of, to probe a network that is trained")
    if module := own_module(entry.model):
        names = [*module.split("."), entry.model.removeprefix(f"{module}:")]
        if not all(name.isidentifier() for name in names):
            wrong(entry, "model", repr(entry.model), "module:function, as in networks.mine:build")
    for option in entry.given.get("options", {}):
        if not option.isidentifier() or LOADING.fullmatch(option):
            allowed = "keywords of the constructor, but none that loads weights"
            wrong(entry, "options", f"{option!r} among others", allowed)
    if entry.trained:
        if entry.images:
            wrong(entry, "images", "given", "none without weights: it is tested as it is trained")
        if entry.data not in DATASETS:
            allowed = f"{', '.join(DATASETS)}, to train it on; a folder of images needs weights"
            wrong(entry, "data", repr(entry.data), allowed)
        return
    check_weights(entry, config)


def check_weights(entry: Entry, config: Mapping) -> None:
    """Refuse weights that are not there or that are to be trained too, and images alike."""
    weights = entry.given["weights"]
    if weights != PRETRAINED and not Path(weights).is_file():
        wrong(entry, "weights", f"{weights!r}, and no such file", f"a file or {PRETRAINED}")
    if weights == PRETRAINED and ":" in entry.model:
        wrong(entry, "weights", f"{PRETRAINED} for {entry.model}", "a file, as timm has no weights")
    class_map = entry.images.get("class_map")
    if class_map and not Path(class_map).is_file():
        wrong(entry, "images.class_map", f"{class_map!r}, and no such file", "names of classes")
    if entry.job in config["training"]:
        wrong(entry, "weights", f"{weights!r}, and training has {entry.job}", "one of both")
    if not Path(entry.data).is_dir():
        allowed = "with weights a folder with a folder of images for each class"
        wrong(entry, "data", f"{entry.data!r}, and no such folder", allowed)


def check_source(entry: Entry, source: str) -> None:
    """Refuse a source that is unknown, or needs what nobody knows of given weights."""
    known = source in PLAIN or source.startswith(INTERPOLATE) or EPOCH.fullmatch(source)
    if not known:
        wrong(entry, "sources", f"{source!r} among others", f"{NAMES}, epochN (a kept epoch)")
    if source.startswith(INTERPOLATE):
        try:
            place(source)
        except InputError as error:
            raise InputError(f"config key beyond.{entry.name}.sources: {error}") from None
    if "weights" in entry.given and (needs_initial(source) or EPOCH.fullmatch(source)):
        allowed = "rerand, shuffle, rescaled, zero, as nothing is known of the weights' training"
        wrong(entry, "sources", f"{source!r} among others", allowed)


def check_epochs(entry: Entry, checkpoints: tuple[int, ...]) -> None:
    """Refuse a source that is an epoch which the network's recipe does not keep."""
    kept = [f"epoch{epoch}" for epoch in checkpoints if epoch]
    for source in entry.sources:
        if EPOCH.fullmatch(source) and source not in kept:
            allowed = f"reinit for epoch 0, {', '.join(kept)}"
            wrong(entry, "sources", f"{source!r} among others", allowed)


def wrong(entry: Entry, key: str, found: str, allowed: str) -> None:
    """Refuse a value of an entry."""
    name = f"beyond.{entry.name}" + (f".{key}" if key else "")
    raise InputError(f"config key {name} is {found}; allowed: {allowed}")

"""Networks beyond the paper: the entries of the config's `beyond`, checked without building any."""

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    needs_initial,
    place,
)
from layer_robustness.planning.refusal import refuse
from layer_robustness.runtime.errors import InputError

PRETRAINED = "pretrained"


@dataclass(frozen=True)
class Entry:
    """What is probed: a network that is trained for it, another's units, or weights from a file.

    All fields but the name are keys of the config: see config/README.md.
    """

    name: str
    model: str = ""
    options: Mapping[str, object] = field(default_factory=dict)
    data: str = ""
    weights: str = ""
    images: Mapping[str, object] = field(default_factory=dict)
    of: str = ""
    units: Sequence[str] = ("block",)
    sources: Sequence[str] = ("rerand", "shuffle")
    draws: int = 1

    @property
    def job(self) -> str:
        """Its own name among jobs, networks and results: `beyond/vit`."""
        return f"{BEYOND}/{self.name}"

    @property
    def network(self) -> Network | None:
        """The trained network that is probed: its own, or that of `of`; none for given weights."""
        if self.weights:
            return None
        base = self.of if "/" in self.of else f"{BEYOND}/{self.of}"
        return parse_network(base if self.of else self.job)

    @property
    def trained(self) -> bool:
        """Whether a network is trained for this entry itself."""
        return not (self.of or self.weights)

    @cached_property
    def words(self) -> tuple[str, ...]:
        """Options of the constructor, as words."""
        return as_words(self.options)

    @property
    def own_source(self) -> list[str]:
        """The file in the working directory that defines `module:function`, if it is there."""
        path = own_module(self.model).replace(".", "/")
        files = (f"{path}.py", f"{path}/__init__.py") if path else ()
        return [file for file in files if Path(file).is_file()][:1]

    @property
    def files(self) -> list[str]:
        """Files that it is probed from, besides what is trained: weights, class names, source."""
        given = [self.weights, str(self.images.get("class_map", ""))]
        return [file for file in given if file not in ("", PRETRAINED)] + self.own_source

    @property
    def flags(self) -> str:
        """How it is probed, as flags for a shell: all but where its network and images are."""
        words = ["--units", *self.units, "--sources", *self.sources, "--draws", str(self.draws)]
        if self.network:
            return shlex.join(["--experiment", str(self.network.seed(0)), *words])
        words += ["--model", self.model]
        words += ["--options", *self.words] if self.options else []
        if self.weights != PRETRAINED:
            words += ["--checkpoint", self.weights]
        for name, value in self.images.items():
            words += [flag(name), *map(str, value if isinstance(value, list) else [value])]
        return shlex.join(words)

    def refuse(self, key: str, found: str, allowed: str) -> None:
        """Refuse a value of this entry."""
        refuse(f"beyond.{self.name}.{key}".removesuffix("."), f"is {found}", allowed)


def entries(config: Mapping) -> dict[str, Entry]:
    """Return all entries by their names."""
    return {name: Entry(name, **given) for name, given in config["beyond"].items()}


def own_networks(config: Mapping) -> list[Network]:
    """Return the networks that are trained for entries."""
    found = entries(config).values()
    return [Network(BEYOND, entry.name) for entry in found if entry.trained]


def check_entries(config: Mapping) -> None:
    """Refuse an entry that cannot be trained or probed."""
    found = entries(config)
    for entry in found.values():
        if not ENTRY.fullmatch(entry.name):
            entry.refuse("", "no name of a file", "letters, digits, and . _ - behind the first")
        if entry.of:
            check_other_units(entry, [name for name, other in found.items() if other.trained])
        else:
            check_network(entry)
            if entry.weights:
                check_given(entry, config)
            else:
                check_trained(entry)
        for source in entry.sources:
            check_source(entry, source)


def check_other_units(entry: Entry, trained: Sequence[str]) -> None:
    """Refuse an entry that is of no trained network, or says what that network's own entry says."""
    for key in ("model", "options", "weights", "data", "images"):
        if value := getattr(entry, key):
            entry.refuse(key, f"{value!r} beside of", "none: of says which network")
    other = entry.of.removeprefix(f"{BEYOND}/")
    if "/" in other:
        read_or_refuse(f"{entry.name}.of", parse_network, other)
    elif other not in trained:
        allowed = f"a trained entry ({', '.join(trained) or 'there is none'}) or a network's name"
        entry.refuse("of", f"{entry.of!r}, which is no trained entry", allowed)


def check_network(entry: Entry) -> None:
    """Refuse a network without a name or data, or with options that are none."""
    for key, allowed in (
        ("model", "a network of timm, torchvision:NAME or module:function"),
        ("data", f"{', '.join(DATASETS)}, or with weights a folder of images"),
    ):
        if not getattr(entry, key):
            entry.refuse(key, "missing", f"{allowed}; or of, to probe a network that is trained")
    if module := own_module(entry.model):
        names = [*module.split("."), entry.model.removeprefix(f"{module}:")]
        if not all(name.isidentifier() for name in names):
            entry.refuse("model", repr(entry.model), "module:function, as in networks.mine:build")
    for option in entry.options:
        if not option.isidentifier() or LOADING.fullmatch(option):
            allowed = "keywords of the constructor, but none that loads weights"
            entry.refuse("options", f"{option!r} among others", allowed)


def check_trained(entry: Entry) -> None:
    """Refuse images that nothing is trained on, and how they are prepared."""
    if entry.images:
        entry.refuse("images", "given", "none without weights: it is tested as it is trained")
    if entry.data not in DATASETS:
        allowed = f"{', '.join(DATASETS)}, to train it on; a folder of images needs weights"
        entry.refuse("data", repr(entry.data), allowed)


def check_given(entry: Entry, config: Mapping) -> None:
    """Refuse weights that are not there or that are to be trained too, and images alike."""
    weights, class_map = entry.weights, entry.images.get("class_map")
    if weights != PRETRAINED and not Path(weights).is_file():
        entry.refuse("weights", f"{weights!r}, and no such file", f"a file or {PRETRAINED}")
    if weights == PRETRAINED and ":" in entry.model:
        allowed = "a file, as timm has no weights"
        entry.refuse("weights", f"{PRETRAINED} for {entry.model}", allowed)
    if class_map and not Path(str(class_map)).is_file():
        entry.refuse("images.class_map", f"{class_map!r}, and no such file", "names of classes")
    if entry.job in config["training"]:
        entry.refuse("weights", f"{weights!r}, and training has {entry.job}", "one of both")
    if not Path(entry.data).is_dir():
        allowed = "with weights a folder with a folder of images for each class"
        entry.refuse("data", f"{entry.data!r}, and no such folder", allowed)


def check_source(entry: Entry, source: str) -> None:
    """Refuse a source that is unknown, or needs what nobody knows of given weights."""
    found, is_epoch = f"{source!r} among others", EPOCH.fullmatch(source)
    if source.startswith(INTERPOLATE):
        read_or_refuse(f"{entry.name}.sources", place, source)
    elif not (source in PLAIN or is_epoch):
        entry.refuse("sources", found, f"{NAMES}, epochN (a kept epoch)")
    if entry.weights and (needs_initial(source) or is_epoch):
        allowed = "rerand, shuffle, rescaled, zero, as nothing is known of the weights' training"
        entry.refuse("sources", found, allowed)


def read_or_refuse(key: str, read: Callable[[str], object], name: str) -> None:
    """Read a name, to refuse it as the value of a key if it is wrong."""
    try:
        read(name)
    except InputError as error:
        raise InputError(f"config key {BEYOND}.{key}: {error}") from None


def check_epochs(entry: Entry, checkpoints: tuple[int, ...]) -> None:
    """Refuse a source that is an epoch which the network's recipe does not keep."""
    kept = [f"epoch{epoch}" for epoch in checkpoints if epoch]
    for source in entry.sources:
        if EPOCH.fullmatch(source) and source not in kept:
            allowed = f"reinit for epoch 0, {', '.join(kept)}"
            entry.refuse("sources", f"{source!r} among others", allowed)

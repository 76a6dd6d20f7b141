"""What figures, tables, comparison and claims are made from: result files, and how they ran."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from layer_robustness.experiments import paths
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.names import Network
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import bits, frames
from layer_robustness.storage.files import remedy

CELL = {"network": str, "seed": int, "unit": str, "source": str, "draw": int}
ERRORS = (CELL, {"error": float})
# What tells the rows of a file apart, and what is read of each row.
COLUMNS = {
    paths.TRAINING: (
        {"network": str, "seed": int, "epoch": int},
        dict.fromkeys(("train_loss", "train_error", "test_error"), float),
    ),
    paths.PROBE: ERRORS,
    paths.JOINT: ERRORS,
    paths.DISTANCES: (CELL, dict.fromkeys(("dist_l2", "dist_linf"), float)),
    paths.ADVERSARIAL: (
        {"network": str, "seed": int, "s": float, "attack": str, "repetition": int},
        {
            **dict.fromkeys(("accuracy", "eps", "step"), float),
            **dict.fromkeys(("test_examples", "repetitions", "steps", "eot_draws"), int),
            **dict.fromkeys(("choice", "attack_choice", "start"), str),
        },
    ),
}
SOURCE = r"rerand|\d+"


@dataclass(frozen=True)
class Setup:
    """How a network was trained: on which source of images, how wide, how long, how often.

    width
        Factor of the paper's channels.
    draws
        Fresh draws for re-randomization.
    """

    data: str
    classes: int
    width: float
    epochs: int
    seeds: int
    draws: int = 1


@dataclass(frozen=True)
class Results:
    """The rows of all networks by the name of their file, and the setup of each network."""

    setups: Mapping[str, Setup]
    frames: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    @classmethod
    def read(cls, manifests: Iterable[Path], files: Iterable[Path] = ()) -> "Results":
        """Read manifests and result files, of any number of jobs.

        Raises `InputError` if a file is missing, is not what its name says, or has rows of other
        experiments than the manifest beside it lists.
        """
        setups, listed = {}, {}
        for path in manifests:
            manifest = Manifest.load(path)
            setups |= setups_of(manifest)
            listed[path.parent] = {(str(e.network), e.seed) for e in manifest.experiments}
        parts: dict[str, list] = {}
        for path in files:
            frame = read(path)
            if path.parent in listed:
                check_experiments(path, frame, listed[path.parent])
            frame = frame.assign(path=str(path), row=range(len(frame)))
            parts.setdefault(path.name, []).append(frame)
        return cls(setups, {name: pd.concat(found) for name, found in parts.items()})

    def ran(self, networks: Iterable[Network]) -> bool:
        """Whether all of these networks were trained."""
        return all(str(network) in self.setups for network in networks)

    def has(self, network: Network, file: str) -> bool:
        """Whether there are rows of a network."""
        return file in self.frames and (self.frames[file]["network"] == str(network)).any()

    def of(self, network: Network, file: str) -> pd.DataFrame:
        """Return the rows of all seeds of one network, each with its `seed`."""
        frame = self.frames[file]
        return frame[frame["network"] == str(network)].reset_index(drop=True)

    def missed(self, rows: pd.DataFrame) -> np.ndarray:
        """Return which test images some rows of one file get wrong: bool [rows, N].

        Raises `InputError` if the file of bits is missing, damaged or of another number of rows.
        """
        (path,) = map(Path, rows["path"].unique())
        missed = bits.read(path)
        if len(missed) != (self.frames[path.name]["path"] == str(path)).sum():
            raise InputError(
                f"{path} and {bits.path_of(path).name} beside it have other numbers of rows: "
                "delete both and run again"
            )
        return missed[rows["row"]]

    def sources(self) -> dict[str, str]:
        """Return the source of images that stands for each of the paper's data sets."""
        return {network.partition("/")[0]: setup.data for network, setup in self.setups.items()}


def setups_of(manifest: Manifest) -> dict[str, Setup]:
    """Return the setup of each network of a manifest, by its name."""
    networks = [str(experiment.network) for experiment in manifest.experiments]
    recipe, data = manifest.recipe, manifest.data
    trained = (data.source, data.classes, recipe.width, recipe.epochs)
    return {n: Setup(*trained, seeds, manifest.draws) for n, seeds in Counter(networks).items()}


def read(path: Path) -> pd.DataFrame:
    """Return the rows of one result file.

    Raises `InputError` if the file is missing, or is no such table.
    """
    keys, values = COLUMNS[path.name]
    frame = frames.read(path, keys | values)
    if frame.duplicated(list(keys)).any():
        raise InputError(f"{path} has two rows of the same {', '.join(keys)}: {remedy(path)}")
    if "source" in keys and not frame["source"].fillna("").str.fullmatch(SOURCE).all():
        raise InputError(f"{path} has a source that is neither rerand nor an epoch: {remedy(path)}")
    return frame


def check_experiments(path: Path, frame: pd.DataFrame, listed: set[tuple[str, int]]) -> None:
    """Refuse rows that are not of all experiments, network and seed, that the manifest lists."""
    for network, seed in listed ^ set(zip(frame["network"], frame["seed"], strict=True)):
        raise InputError(
            f"{path} and {paths.MANIFEST} beside it are of other experiments: one has none of "
            f"{network}/seed{seed}; delete both and run again"
        )

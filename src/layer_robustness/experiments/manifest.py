"""A job's manifest, `checkpoints.json`: what was trained, on which data, and how."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from layer_robustness.experiments.names import Experiment, parse_experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import jsonfile
from layer_robustness.storage.files import remedy

RERAND = "rerand"


@dataclass(frozen=True)
class TrainingData:
    """The data set that was trained on; `image_shape` is [C, H, W]."""

    source: str
    sha256: str
    image_shape: tuple[int, int, int]
    classes: int


@dataclass(frozen=True)
class Trained:
    """One experiment.

    machines
        Those that trained it, in their order: device, its name, torch's version, threads.
    did_not_train
        Epoch and loss where its loss was no longer finite; None where it trained to the end.
    checkpoints
        SHA-256 of the weights by name: `epoch0`, ..., and the fresh draws `rerand0`, ...
    """

    machines: list[dict]
    did_not_train: dict | None
    checkpoints: dict[str, str]


@dataclass(frozen=True)
class Manifest:
    """All experiments of a job, which share data and recipe."""

    data: TrainingData
    recipe: Recipe
    experiments: Mapping[Experiment, Trained]

    @property
    def draws(self) -> int:
        """Number of fresh draws of each network."""
        names = next(iter(self.experiments.values())).checkpoints
        return sum(name.startswith(RERAND) for name in names)

    def save(self, path: Path) -> None:
        """Write the manifest at once or not at all."""
        experiments = {str(name): asdict(trained) for name, trained in self.experiments.items()}
        values = {"data": asdict(self.data), "recipe": asdict(self.recipe)}
        jsonfile.save(path, values | {"experiments": experiments})

    @classmethod
    def load(cls, path: Path) -> "Manifest":
        """Read a manifest; raises `InputError` if the file is missing, damaged or no manifest."""
        values = jsonfile.load(path)
        try:
            shape = tuple(values["data"]["image_shape"])
            experiments = {
                parse_experiment(name): Trained(**trained)
                for name, trained in values["experiments"].items()
            }
            data = TrainingData(**values["data"] | {"image_shape": shape})
            manifest = cls(data, Recipe.from_dict(values["recipe"]), experiments)
        except (AttributeError, InputError, LookupError, TypeError, ValueError) as error:
            raise InputError(f"{path} is not a manifest of checkpoints: {remedy(path)}") from error
        manifest.check_seeds(path)
        return manifest

    def check_seeds(self, path: Path) -> None:
        """Refuse a manifest in which a network lacks a seed that it must have had."""
        networks = {experiment.network for experiment in self.experiments}
        seeds = range(1 + max((experiment.seed for experiment in self.experiments), default=0))
        expected = [network.seed(seed) for network in networks for seed in seeds]
        for each in expected or ["experiments"]:
            if each not in self.experiments:
                raise InputError(f"{path} has no entry of {each}: {remedy(path)}")

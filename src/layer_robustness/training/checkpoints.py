"""Checkpoints of an experiment on disk: kept while it trains, published when it is done.

mnist/fcn3x256/seed0/
    resume/             the state to go on from, and the checkpoints so far; no output of a rule,
                        so a failing or repeated job finds it again
    checkpoints/        epoch0.safetensors ... ; links to the ones in resume/
    checkpoints.json    what was trained and how, and the checksum of each checkpoint
    training.csv        one row an epoch
"""

import hashlib
import json
import math
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from pathlib import Path

import torch
from torch import Tensor

from layer_robustness.data.dataset import Dataset, Summary
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.build import build, draw
from layer_robustness.models.sequence import UnitSequence
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from layer_robustness.storage import jsonfile, rows, tensorfile
from layer_robustness.storage.files import link, remedy
from layer_robustness.training.state import TrainState

# Large states are not written after every epoch: at most a twentieth of the time goes into it.
RARELY = 20
LARGE = 0.1  # seconds that it takes to write

# What a unit is reset to: `rerand` or an epoch, and the number of the draw.
Source = tuple[str, int]


@dataclass
class TrainingFolder:
    """The folder of one experiment, for the one recipe and data set that it is trained with."""

    path: Path
    experiment: Experiment
    recipe: Recipe
    dataset: Dataset
    processes: int = 1
    not_before: float = -math.inf  # when the next state may be written, by the monotonic clock

    @cached_property
    def fingerprint(self) -> str:
        """Names recipe, data and code: a state of other ones is never gone on from."""
        parts = [str(self.experiment), asdict(self.recipe), self.dataset.sha256, code_digest()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def state(self) -> TrainState:
        """Return the state to go on from, or the initial one with its checkpoint written."""
        here = machine(self.dataset.device, self.processes)
        state = TrainState.load(self.state_file, self.fingerprint)
        if state is not None and self.has_checkpoints(state):
            if not self.ended(state):
                self.tell(f"goes on after {state.epoch} epochs and {state.part.batches} batches")
                if here not in state.machines:
                    state.machines.append(here)
            return state
        network = draw(
            self.experiment,
            self.recipe.initial_law,
            self.dataset.image_shape,
            self.dataset.classes,
            self.recipe.width,
        )
        state = TrainState(dict(network.state_dict()), machines=[here])
        self.keep(state)
        return state

    def keep(self, state: TrainState) -> None:
        """Write what the state's epoch asks for, the checkpoint first: it can't be missed.

        In the middle of an epoch that is the state alone. Of a network that diverged, the
        checkpoints from that epoch on hold no weights.
        """
        if state.part.batches:
            state.save(self.state_file, self.fingerprint)
            self.tell(f"saved after {state.part.batches} batches of epoch {state.epoch + 1}")
            return
        started = time.monotonic()
        due = [epoch for epoch in self.recipe.checkpoints if epoch == state.epoch]
        if state.diverged:
            due = [epoch for epoch in self.recipe.checkpoints if epoch >= state.epoch]
            self.tell(
                f"did not train: its loss is {state.history[-1]['train_loss']} in epoch "
                f"{state.epoch}; lower learning_rate or choose another initial_law"
            )
        elif started < self.not_before and not due:
            return
        for epoch in due:
            metadata = {
                "experiment": str(self.experiment),
                "epoch": str(epoch),
                "fingerprint": self.fingerprint,
            }
            weights = {} if state.diverged else state.weights
            tensorfile.save(self.kept(epoch), weights, metadata)
        state.save(self.state_file, self.fingerprint)
        ended = time.monotonic()
        if (took := ended - started) > LARGE:
            self.not_before = ended + RARELY * took

    def tell(self, what: str) -> None:
        """Say in the log what becomes of the experiment."""
        print(f"{self.experiment} {what}", file=sys.stderr, flush=True)

    @property
    def state_file(self) -> Path:
        """Where the state to go on from is kept."""
        return self.path / "resume" / "state.safetensors"

    def kept(self, epoch: int) -> Path:
        """Where the checkpoint of an epoch is kept while training goes on."""
        return self.path / "resume" / f"epoch{epoch}.safetensors"

    def ended(self, state: TrainState) -> bool:
        """Whether nothing is left to train."""
        return state.diverged or state.epoch == self.recipe.epochs

    def has_checkpoints(self, state: TrainState) -> bool:
        """Whether all checkpoints up to a state are there, whole, and of this training."""
        last = self.recipe.epochs if self.ended(state) else state.epoch
        for epoch in (epoch for epoch in self.recipe.checkpoints if epoch <= last):
            try:
                _, metadata = tensorfile.load(self.kept(epoch))
            except InputError as error:
                print(f"starting over: {error}", file=sys.stderr)
                return False
            found = metadata.get("fingerprint"), metadata.get("epoch")
            if found != (self.fingerprint, str(epoch)):
                print(
                    f"starting over: {self.kept(epoch)} is of another training or epoch",
                    file=sys.stderr,
                )
                return False
        return True

    def publish(self, state: TrainState) -> None:
        """Write the outputs of a finished training.

        The manifest's `did_not_train` has the epoch and the loss of a network that diverged.
        """
        checksums = {}
        for epoch in self.recipe.checkpoints:
            name = f"epoch{epoch}.safetensors"
            link(self.kept(epoch), self.path / "checkpoints" / name)
            checksums[name] = tensorfile.load(self.kept(epoch))[1]["sha256"]
        rows.write(self.path / "training.csv", state.history)
        manifest = {
            "experiment": str(self.experiment),
            "recipe": asdict(self.recipe),
            "data": {"source": self.dataset.source, "sha256": self.dataset.sha256},
            "machines": state.machines,
            "did_not_train": None,
            "checkpoints": checksums,
        }
        if state.diverged:
            loss = str(state.history[-1]["train_loss"])
            manifest["did_not_train"] = {"epoch": state.epoch, "loss": loss}
        jsonfile.save(self.path / "checkpoints.json", manifest)
        # Nothing is left to train: the momentum is not needed, and is half of the file.
        state.momentum = {}
        state.save(self.state_file, self.fingerprint)


@cache
def code_digest() -> str:
    """SHA-256 of this package's modules that this process has imported.

    To be called first when a command starts: files that are edited while it runs are not what runs.
    """
    package = __package__.partition(".")[0]
    specs = (getattr(module, "__spec__", None) for module in tuple(sys.modules.values()))
    origins = {s.name: s.origin for s in specs if s and s.name.partition(".")[0] == package}
    sha = hashlib.sha256()
    for name in sorted(origins):
        sha.update(Path(origins[name]).read_bytes())
    return sha.hexdigest()


def machine(device: torch.device, processes: int = 1) -> dict[str, object]:
    """What the bits of a result depend on besides recipe, data and code."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "name": name,
        "processes": processes,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
    }


def load_checkpoint(path: Path, network: UnitSequence, sha256: str) -> dict[str, Tensor]:
    """Read a checkpoint's weights.

    Raises
    ------
    InputError
        If the file is missing, damaged, of another network, or not the one with this checksum.
    """
    tensors, metadata = tensorfile.load(path)
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted({*shapes, *found}):
        if shapes.get(name) != found.get(name):
            raise InputError(
                f"{path} is a checkpoint of another network: {name} has shape {found.get(name)}, "
                f"expected {shapes.get(name)}; {remedy(path)}"
            )
    if metadata["sha256"] != sha256:
        raise InputError(
            f"{path} is not the checkpoint that was trained (checkpoints.json has another "
            f"checksum): {remedy(path)}"
        )
    return tensors


@dataclass
class TrainedNetwork:
    """A finished experiment: its final network and where its checkpoints lie.

    One that diverged has no final network: whatever is measured of it is NaN. A summary of the
    data set is enough for what is asked of the weights alone.
    """

    folder: Path
    experiment: Experiment
    recipe: Recipe
    dataset: Dataset | Summary
    network: UnitSequence
    checksums: Mapping[str, str]
    diverged: bool

    @classmethod
    def load(
        cls, results: Path, experiment: Experiment, dataset: Dataset | Summary
    ) -> "TrainedNetwork":
        """Read what `TrainingFolder.publish` wrote.

        Raises
        ------
        InputError
            If a file is missing, damaged or of another experiment, or was trained on other data
            than `dataset`.
        """
        folder = results / str(experiment)
        manifest = jsonfile.load(folder / "checkpoints.json")
        if manifest["experiment"] != str(experiment):
            raise InputError(
                f"{folder} has the files of {manifest['experiment']}: delete {folder} and run again"
            )
        if manifest["data"]["sha256"] != dataset.sha256:
            raise InputError(
                f"{folder} was trained on other data than {dataset.source}: train again"
            )
        recipe = Recipe.from_dict(manifest["recipe"])
        network = build(experiment.network, dataset.image_shape, dataset.classes, recipe.width)
        network.to(PRECISIONS[recipe.precision].weights)
        checksums, diverged = manifest["checkpoints"], manifest["did_not_train"] is not None
        trained = cls(folder, experiment, recipe, dataset, network, checksums, diverged)
        if not diverged:
            network.load_state_dict(trained.checkpoint(recipe.epochs))
        return trained

    def checkpoint(self, epoch: int) -> Mapping[str, Tensor]:
        """Return the weights after an epoch."""
        name = f"epoch{epoch}.safetensors"
        path = self.folder / "checkpoints" / name
        return load_checkpoint(path, self.network, self.checksums.get(name, ""))

    def fresh(self, number: int) -> UnitSequence:
        """Return a fresh network from the same initial law."""
        return draw(
            self.experiment,
            self.recipe.initial_law,
            self.dataset.image_shape,
            self.dataset.classes,
            self.recipe.width,
            f"rerand{number}",
        )

    def rerand(self, number: int) -> Mapping[str, Tensor]:
        """Return the weights of a fresh network."""
        return self.fresh(number).state_dict()

    def sources(self, draws: int) -> list[Source]:
        """Name everything that a unit can be reset to."""
        fresh = [("rerand", number) for number in range(draws)]
        return [*fresh, *((str(epoch), 0) for epoch in self.recipe.checkpoints)]

    def state(self, source: str, draw: int) -> Mapping[str, Tensor]:
        """Return the weights of a source."""
        return self.rerand(draw) if source == "rerand" else self.checkpoint(int(source))

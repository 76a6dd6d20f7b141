"""An experiment's files: written to resume/ while it trains, linked into checkpoints/ when done."""

import math
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import nn

from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments import paths
from layer_robustness.experiments.manifest import RERAND, Manifest, Trained, TrainingData
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.named import own_source
from layer_robustness.models.recipes import draw_by
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.ranks import ALONE, Ranks
from layer_robustness.storage import rows, tensorfile
from layer_robustness.storage.files import link
from layer_robustness.training.loop import Training
from layer_robustness.training.state import TrainState

# Large states are not written after every epoch: at most a twentieth of the time goes into it.
RARELY = 20
LARGE = 0.1  # seconds that it takes to write


@dataclass
class TrainingFolder:
    """The files of one experiment, for the one recipe and data set that it is trained with.

    manifest
        Where the job's manifest will be; the experiment's files lie beside it (see `paths`).
    draws
        Fresh draws that are stored with the checkpoints.
    """

    manifest: Path
    experiment: Experiment
    recipe: Recipe
    dataset: Dataset
    draws: int = 0
    processes: int = 1
    not_before: float = -math.inf  # when the next state may be written, by the monotonic clock

    @cached_property
    def fingerprint(self) -> str:
        """Identifies recipe, data and code: training never continues from a state of others.

        Which epochs are kept changes no weights, so it is not part of the fingerprint.
        """
        recipe = {**asdict(self.recipe), "checkpoints": None}
        code = code_digest("train") + own_source(self.recipe.model)
        return tensorfile.fingerprint(str(self.experiment), recipe, self.dataset.sha256, code)

    def state(self) -> TrainState:
        """Return the saved state, or the initial one after writing its checkpoint."""
        here = self.machine()
        state = TrainState.load(self.kept("state"), self.fingerprint)
        if state is not None and self.has_checkpoints(state):
            if not self.ended(state):
                self.tell(f"goes on after {state.epoch} epochs and {state.part.batches} batches")
                if here not in state.machines:
                    self.tell(f"was trained on {state.machines[-1]}, and goes on on {here}")
                    state.machines.append(here)
            return state
        state = TrainState(dict(self.drawn("initial").state_dict()), machines=[here])
        self.keep(state)
        return state

    def drawn(self, purpose: str) -> nn.Module:
        """Draw a network from the recipe's initial law."""
        dataset = self.dataset
        return draw_by(self.recipe, self.experiment, dataset.image_shape, dataset.classes, purpose)

    def keep(self, state: TrainState) -> None:
        """Write the checkpoint of this epoch, if it has one, then the state.

        Within an epoch only the state is written. If the network diverged, its checkpoints from
        that epoch on hold no weights.
        """
        if state.part.batches:
            state.save(self.kept("state"), self.fingerprint)
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
            weights = {} if state.diverged else state.weights
            state.checkpoints[f"epoch{epoch}"] = self.keep_weights(f"epoch{epoch}", weights)
        state.save(self.kept("state"), self.fingerprint)
        ended = time.monotonic()
        if (took := ended - started) > LARGE:
            self.not_before = ended + RARELY * took

    def keep_weights(self, name: str, weights: dict[str, torch.Tensor]) -> str:
        """Write the weights `epoch3`, `rerand0`, ... of this experiment; return their SHA-256."""
        metadata = {"experiment": str(self.experiment), "name": name}
        return tensorfile.save(self.kept(name), weights, metadata)

    def tell(self, what: str) -> None:
        """Log a message about the experiment."""
        print(f"{self.experiment} {what}", file=sys.stderr, flush=True)

    def kept(self, name: str) -> Path:
        """Where a file is kept during training."""
        return paths.resume(self.manifest, self.experiment, name)

    def ended(self, state: TrainState) -> bool:
        """Whether nothing is left to train."""
        return state.diverged or state.epoch == self.recipe.epochs

    def has_checkpoints(self, state: TrainState) -> bool:
        """Whether all checkpoints up to a state are those that it kept; log why not."""
        last = self.recipe.epochs if self.ended(state) else state.epoch
        for name in [f"epoch{epoch}" for epoch in self.recipe.checkpoints if epoch <= last]:
            try:
                _, metadata = tensorfile.load(self.kept(name))
            except InputError as error:
                self.tell(f"is starting over: {error}")
                return False
            if metadata["sha256"] != state.checkpoints.get(name):
                self.tell(f"is starting over: {self.kept(name)} is of another training or epoch")
                return False
        return True

    def machine(self) -> dict[str, object]:
        """What a result's last bits depend on, besides recipe, data and code."""
        device = self.dataset.device
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
        return {
            "device": device.type,
            "name": name,
            "processes": self.processes,
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }

    def publish(self, state: TrainState) -> Trained:
        """Link the weights of a finished training into checkpoints/, with its fresh draws."""
        names = [f"epoch{epoch}" for epoch in self.recipe.checkpoints]
        checksums = {name: state.checkpoints[name] for name in names}
        for name in (f"{RERAND}{number}" for number in range(self.draws)):
            checksums[name] = self.keep_weights(name, self.drawn(name).state_dict())
        for name in checksums:
            link(self.kept(name), paths.weights(self.manifest, self.experiment, name))
        # Nothing is left to train: the optimizer's part of the file, half or more, is not needed.
        state.optimizer = {}
        state.save(self.kept("state"), self.fingerprint)
        reason = None
        if state.diverged:
            reason = {"epoch": state.epoch, "loss": str(state.history[-1]["train_loss"])}
        return Trained(state.machines, reason, checksums)


def train_one(folder: TrainingFolder, ranks: Ranks = ALONE) -> None:
    """Train one experiment from where it is to its end."""
    with ranks.first_goes_ahead():  # it writes the initial state if there is none
        state = folder.state()
    if folder.ended(state):
        return
    with bounded_by(f"training.batch_size of {folder.experiment.network}"):
        about = folder.experiment, state, folder.recipe, folder.dataset
        Training(*about, folder.keep, ranks).run()


def publish(folders: Sequence[TrainingFolder]) -> None:
    """Write the outputs of a job whose experiments have all been trained."""
    states = {}
    for folder in folders:
        # Another command that trains the same may have kept an earlier state meanwhile.
        while not folder.ended(state := folder.state()):
            train_one(folder)
        states[folder.experiment] = state
    trained = {folder.experiment: folder.publish(states[folder.experiment]) for folder in folders}
    history = [
        {"network": str(experiment.network), "seed": experiment.seed, **row}
        for experiment, state in states.items()
        for row in state.history
    ]
    first = folders[0]
    rows.write(first.manifest.parent / paths.TRAINING, history)
    data = first.dataset
    about = TrainingData(data.source, data.sha256, data.image_shape, data.classes)
    Manifest(about, first.recipe, trained).save(first.manifest)

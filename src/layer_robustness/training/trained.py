"""A finished experiment, for the steps that measure it."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments import paths
from layer_robustness.experiments.manifest import RERAND, Manifest, Trained
from layer_robustness.experiments.names import Experiment
from layer_robustness.models.recipes import build_by
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from layer_robustness.storage import tensorfile
from layer_robustness.storage.files import remedy


@dataclass
class TrainedNetwork:
    """A finished experiment: its final network, and what its units can be reset to.

    One that diverged has no final network: whatever is measured of it is NaN.
    """

    path: Path
    manifest: Manifest
    experiment: Experiment
    network: nn.Module

    @classmethod
    def load(
        cls, path: Path, experiment: Experiment, manifest: Manifest | None = None
    ) -> "TrainedNetwork":
        """Read an experiment of the manifest at `path`, which may have been read before.

        Raises `InputError` if a file is missing, damaged or of another experiment.
        """
        manifest = manifest or Manifest.load(path)
        data, recipe = manifest.data, manifest.recipe
        if recipe.precision not in PRECISIONS:
            raise InputError(f"{path} has an unknown precision: {remedy(path)}")
        network = build_by(recipe, experiment.network, data.image_shape, data.classes)
        network.to(PRECISIONS[recipe.precision].weights)
        trained = cls(path, manifest, experiment, network)
        if not trained.diverged:
            weights = trained.weights(f"epoch{recipe.epochs}")
            try:
                network.load_state_dict(weights)
            except RuntimeError as error:
                raise InputError(
                    f"{path} lists checkpoints of another network: {remedy(path)}"
                ) from error
        return trained

    @property
    def entry(self) -> Trained:
        """What the manifest says of this experiment."""
        return self.manifest.experiments[self.experiment]

    @property
    def diverged(self) -> bool:
        """Whether its loss was no longer finite at some epoch."""
        return self.entry.did_not_train is not None

    @property
    def sources(self) -> list[tuple[str, int]]:
        """Name all that a unit can be reset to: `rerand` or an epoch, and the draw's number."""
        fresh = [(RERAND, number) for number in range(self.manifest.draws)]
        return [*fresh, *((str(epoch), 0) for epoch in self.manifest.recipe.checkpoints)]

    def state(self, source: str, draw: int = 0) -> Mapping[str, Tensor]:
        """Return the weights of a source."""
        return self.weights(f"{RERAND}{draw}" if source == RERAND else f"epoch{source}")

    def weights(self, name: str) -> Mapping[str, Tensor]:
        """Return the weights `epoch3`, `rerand0`, ...

        Raises `InputError` if the file is missing, damaged, or not the one that was trained.
        """
        path = paths.weights(self.path, self.experiment, name)
        folder = paths.checkpoints(self.path)  # one output of Snakemake's: it is made as a whole
        tensors, metadata = tensorfile.load(path, delete=folder)
        if metadata["sha256"] != self.entry.checkpoints.get(path.stem):
            raise InputError(
                f"{path} is not the checkpoint that was trained ({self.path.name} has another "
                f"checksum): {remedy(folder)}"
            )
        return tensors

    def fresh(self, number: int) -> nn.Module:
        """Return a fresh network from the same initial law."""
        data, recipe = self.manifest.data, self.manifest.recipe
        network = build_by(recipe, self.experiment.network, data.image_shape, data.classes)
        network.load_state_dict(self.weights(f"{RERAND}{number}"))
        return network


def check_data(trained: TrainedNetwork, dataset: Dataset) -> None:
    """Refuse data that a network was not trained on."""
    if trained.manifest.data.sha256 != dataset.sha256:
        raise InputError(
            f"{trained.path} was trained on other data than {dataset.source}: train again"
        )


def tell_other_versions(trained: TrainedNetwork, device: torch.device) -> None:
    """Say in one line if a network was trained by another torch, or on another kind of device."""
    here = {"torch": torch.__version__, "device": device.type}
    there = {key: trained.entry.machines[-1].get(key) for key in here}
    if there != here:
        print(
            f"{trained.experiment} was trained by torch {there['torch']} on {there['device']}, "
            f"and is measured by torch {here['torch']} on {here['device']}",
            file=sys.stderr,
        )

"""A network that `train` trained, with all that is stored of it, by its manifest."""

import math
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from layer_robustness.data import dataset
from layer_robustness.experiments.manifest import RERAND, Manifest
from layer_robustness.experiments.sources import RANDOM
from layer_robustness.networks.inputs import evenly, prepared_batches
from layer_robustness.networks.result import TRAINED, Result
from layer_robustness.probing.cut import Units, cut
from layer_robustness.probing.measures import MEASURES
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from layer_robustness.training.trained import TrainedNetwork, check_data


class DidNotTrain(InputError):
    """A network that diverged: nothing can be reset, and whatever is measured of it is NaN."""

    def __init__(self, trained: TrainedNetwork, images: int):
        super().__init__(f"{trained.experiment} did not train: try a lower learning_rate")
        self.trained, self.images = trained, images

    def result(self, units: Units, sources: Sequence[str] | None, draws: int) -> Result:
        """Return the rows that a probe would have, without numbers."""
        epochs = [f"epoch{at}" for at in self.trained.manifest.recipe.checkpoints if at]
        sources = sources or ["reinit", "rerand", "shuffle", *epochs]
        rows = [(TRAINED, TRAINED, 0)]
        for unit, source in product(cut(self.trained.network, units).units, sources):
            rows += [(unit, source, draw) for draw in range(draws if source in RANDOM else 1)]
        frame = pd.DataFrame(rows, columns=["unit", "source", "draw"])
        classes = self.trained.manifest.data.classes
        numbers = {**dict.fromkeys(MEASURES, math.nan), "images": self.images, "classes": classes}
        return Result(frame.assign(**numbers), {}, classes)


def read(manifest: Path, data: Path, name: str = "", most: int | None = None) -> dict[str, Any]:
    """Return what `probe_network` takes of an experiment of a manifest.

    The kept epochs but the first, which is the initial state, are named states: epoch1, ...

    Raises `InputError` if a file is missing, damaged or of another experiment; `DidNotTrain` if it
    diverged.

    Parameters
    ----------
    data
        The prepared data set that was trained on, of which the test images are taken.
    name
        Of the experiment, such as cifar10/resnet50+bn/seed1; the manifest's first without one.
    most
        How many test images are taken, evenly over all.
    """
    stored = Manifest.load(manifest)
    experiments = {str(each): each for each in stored.experiments}
    name = name or next(iter(experiments))
    if name not in experiments:
        raise InputError(
            f"--experiment {name}: {manifest} has none of that name, only {', '.join(experiments)}"
        )
    images = dataset.load(data)
    trained = TrainedNetwork.load(manifest, experiments[name], stored)
    check_data(trained, images)
    if trained.diverged:
        raise DidNotTrain(trained, len(evenly(len(images.test_labels), most)))
    recipe = trained.manifest.recipe
    return {
        "model": trained.network,
        "initial": trained.weights("epoch0"),
        "states": {f"epoch{at}": trained.weights(f"epoch{at}") for at in recipe.checkpoints if at},
        "fresh": [trained.weights(f"{RERAND}{n}") for n in range(trained.manifest.draws)],
        "data": prepared_batches(images, PRECISIONS[recipe.precision].weights, most),
        "precision": recipe.precision,
    }

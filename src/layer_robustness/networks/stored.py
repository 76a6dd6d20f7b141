"""A network that `train` trained, with all that is stored of it, by its manifest."""

from pathlib import Path
from typing import Any

from layer_robustness.data import dataset
from layer_robustness.experiments.manifest import RERAND, Manifest
from layer_robustness.networks.inputs import prepared_batches
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from layer_robustness.training.trained import TrainedNetwork, check_data


def read(manifest: Path, data: Path, name: str = "", most: int | None = None) -> dict[str, Any]:
    """Return what `probe_network` takes of an experiment of a manifest.

    The kept epochs but the first, which is the initial state, are named states: epoch1, ...

    Parameters
    ----------
    data
        The prepared data set that was trained on, of which the test images are taken.
    name
        Of the experiment, such as cifar10/resnet50+bn/seed1; the manifest's first without one.
    most
        How many test images are taken, evenly over all.

    Raises
    ------
    InputError
        If a file is missing, damaged or of another experiment, or the network diverged.
    """
    experiments = {str(each): each for each in Manifest.load(manifest).experiments}
    name = name or next(iter(experiments))
    if name not in experiments:
        raise InputError(
            f"--experiment {name}: {manifest} has none of that name, only {', '.join(experiments)}"
        )
    images = dataset.load(data)
    trained = TrainedNetwork.load(manifest, experiments[name])
    check_data(trained, images)
    if trained.diverged:
        raise InputError(
            f"{name} diverged, so nothing can be reset: train it with a lower learning_rate"
        )
    recipe = trained.manifest.recipe
    return {
        "model": trained.network,
        "initial": trained.weights("epoch0"),
        "states": {f"epoch{at}": trained.weights(f"epoch{at}") for at in recipe.checkpoints if at},
        "fresh": [trained.weights(f"{RERAND}{n}") for n in range(trained.manifest.draws)],
        "data": prepared_batches(images, PRECISIONS[recipe.precision].weights, most),
        "precision": recipe.precision,
    }

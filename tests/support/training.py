"""A small network, trained in this process or by the command."""

import shlex
from pathlib import Path

from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.names import parse_network
from layer_robustness.models.recipes import draw_by
from layer_robustness.training.folder import TrainingFolder, publish, train_one
from layer_robustness.training.loop import Training
from layer_robustness.training.state import TrainState
from layer_robustness.training.trained import TrainedNetwork
from support.result_files import read_csv

NETWORK = parse_network("mnist/fcn3x32")


def start(experiment, recipe, dataset) -> TrainState:
    network = draw_by(recipe, experiment, dataset.image_shape, dataset.classes)
    return TrainState(dict(network.state_dict()))


def trained(experiment, recipe, dataset) -> TrainState:
    """Train one experiment in memory."""
    state = start(experiment, recipe, dataset)
    Training(experiment, state, recipe, dataset, lambda _: None).run()
    return state


def finished(manifest: Path, experiment, recipe, dataset, draws=1) -> TrainedNetwork:
    """Train one experiment to its end, with all its files, and load it."""
    folder = TrainingFolder(manifest, experiment, recipe, dataset, draws)
    train_one(folder)
    publish([folder])
    return TrainedNetwork.load(manifest, experiment)


def weights(folder: Path) -> dict[str, bytes]:
    """The published weights of a job, by their path in its folder."""
    paths = sorted((folder / "checkpoints").rglob("*.safetensors"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def train_arguments(tmp_path, results, recipe, job, seeds=2) -> list[str]:
    return [
        *(job, "--data", str(tmp_path / "digits.safetensors"), "--seeds", str(seeds)),
        *("--manifest", str(results / job / "checkpoints.json"), *shlex.split(as_flags(recipe))),
        *("--workers", "2", "--device", "cpu"),
    ]


def history(folder: Path) -> list[dict]:
    """Rows of training.csv without the seconds, which are never the same."""
    return read_csv(folder / "training.csv").drop(columns="seconds").to_dict("records")

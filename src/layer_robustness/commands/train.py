"""Train a network with its seeds, or a sweep; each continues from where it was stopped."""

import argparse
import sys
from pathlib import Path

import torch

from layer_robustness.data import dataset as data
from layer_robustness.experiments.flags import add_flags, from_flags
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.experiments.sweeps import networks_of
from layer_robustness.models import recipes
from layer_robustness.runtime import machine
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.devices import choose, take_for_ranks
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.interruption import note_signals
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.ranks import joined, run_as_ranks, started_as_rank
from layer_robustness.runtime.workers import run_all
from layer_robustness.training.folder import TrainingFolder, publish, train_one


def parser() -> argparse.ArgumentParser:
    """Return the parser of this command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job", help="a network such as cifar10/vgg16, or a sweep")
    parser.add_argument("--data", type=Path, required=True, help="a prepared data set")
    parser.add_argument("--images", type=Path, help="ImageNet's folder, for data that needs it")
    parser.add_argument("--seeds", type=int, default=1, help="how many of each network")
    parser.add_argument("--draws", type=int, default=1, help="fresh draws to store")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--workers",
        type=int,
        default=machine.cpus(),
        help="processes that train on a CPU, or decode images for those that train; "
        "by default one for each CPU that may be used",
    )
    parser.add_argument(
        "--processes",
        type=int,
        default=1,
        help="processes that train one network together, one per GPU",
    )
    parser.add_argument(
        "--manifest", type=Path, required=True, help="checkpoints.json; all else goes beside it"
    )
    add_flags(parser, Recipe)
    return parser


@bounded_by("training.batch_size")
def main() -> None:
    """Train what the arguments name."""
    arguments = parser().parse_args()
    code_digest("train")
    if arguments.processes > 1 and not started_as_rank():
        take_for_ranks(arguments.device, arguments.processes)
        run_as_ranks(__spec__.name, sys.argv[1:], arguments.processes)
        return
    device = choose(arguments.device)
    networks = networks_of(arguments.job)
    experiments = [network.seed(seed) for network in networks for seed in range(arguments.seeds)]
    decoding = decoders(arguments, device, len(experiments))
    dataset = data.load(arguments.data, arguments.images, decoding).to(device)
    recipe = from_flags(arguments, Recipe)
    if recipe.model:
        recipes.check(recipe, dataset.image_shape, dataset.classes)
    note_signals()  # training keeps the batches it has done
    with joined(device) as ranks:
        where, draws = arguments.manifest, arguments.draws
        folders = [
            TrainingFolder(where, experiment, recipe, dataset, draws, ranks.count)
            for experiment in experiments
        ]
        if device.type == "cuda" or ranks.count > 1:
            for folder in folders:
                train_one(folder, ranks)
        else:
            # From the widest network of a sweep, so that the last ones to end are short.
            widest_first = sorted(
                folders, key=lambda own: networks.index(own.experiment.network), reverse=True
            )
            run_all(train_one, widest_first, arguments.workers)
        if ranks.rank == 0:
            publish(folders)


def decoders(arguments: argparse.Namespace, device: torch.device, experiments: int) -> int:
    """Return how many processes decode images for each of those that train at once."""
    training = arguments.processes
    if device.type == "cpu" and training == 1:
        training = max(1, min(arguments.workers, experiments))
    return max(1, arguments.workers // training)


if __name__ == "__main__":
    exit_with_one_line(main)

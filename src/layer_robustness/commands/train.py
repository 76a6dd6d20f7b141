"""Train a family of experiments; each goes on from where it was stopped."""

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from pathlib import Path

import torch

from layer_robustness.data import dataset as data
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime import cpus
from layer_robustness.runtime.devices import choose, take_for_ranks
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.interruption import note_signals
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.ranks import ALONE, Ranks, joined, run_as_ranks, started_as_rank
from layer_robustness.runtime.workers import run_all
from layer_robustness.training.checkpoints import TrainingFolder, code_digest
from layer_robustness.training.loop import train


@bounded_by("training.batch_size")
def main() -> None:
    """Train what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--images", type=Path, help="ImageNet's folder, for data that needs it")
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--recipes", type=json.loads, required=True, metavar="JSON")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument(
        "--workers",
        type=int,
        default=cpus.available(),
        help="processes that train on a CPU, or decode images for those that train; "
        "by default one for each CPU that may be used",
    )
    parser.add_argument(
        "--processes", type=int, default=1, help="that train each network together, one a GPU"
    )
    arguments = parser.parse_args()
    code_digest()
    if arguments.processes > 1 and not started_as_rank():
        take_for_ranks(arguments.device, arguments.processes)
        run_as_ranks(__spec__.name, sys.argv[1:], arguments.processes)
        return
    device = choose(arguments.device)
    decoding = decoders(arguments, device)
    dataset = data.load_to_train(arguments.data, arguments.images, decoding).to(device)
    note_signals()  # training keeps the batches it has done
    with joined(device) as ranks:
        networks = [
            [
                TrainingFolder(
                    arguments.results / str(experiment), experiment, recipe, dataset, ranks.count
                )
                for experiment in map(parse_network(name).seed, seeds)
            ]
            for name, seeds, recipe in read_recipes(arguments.recipes)
        ]
        if device.type == "cuda" or ranks.count > 1:
            for folders in networks:
                for group in stacks(folders):
                    train_together(group, ranks)
        else:
            run_all(train_alone, longest_first(networks), arguments.workers)


def decoders(arguments: argparse.Namespace, device: torch.device) -> int:
    """Return how many processes decode images for each of those that train at once."""
    training = arguments.processes
    if device.type == "cpu" and training == 1:
        experiments = sum(len(recipe["seeds"]) for recipe in arguments.recipes.values())
        training = max(1, min(arguments.workers, experiments))
    return max(1, arguments.workers // training)


def read_recipes(recipes: dict[str, dict]) -> list[tuple[str, list[int], Recipe]]:
    """Split each network's entry into its seeds and its recipe."""
    return [
        (name, recipe["seeds"], Recipe.from_dict({k: v for k, v in recipe.items() if k != "seeds"}))
        for name, recipe in recipes.items()
    ]


def longest_first(networks: Iterable[Sequence[TrainingFolder]]) -> list[TrainingFolder]:
    """Order single trainings so that the last ones to end are short."""

    def length(folder: TrainingFolder) -> int:
        network = folder.experiment.network
        width = network.fcn_shape[1] if network.kind == "fcn" else 1
        return folder.recipe.epochs * len(network.units) * width**2

    return sorted((folder for folders in networks for folder in folders), key=length, reverse=True)


def stacks(folders: Sequence[TrainingFolder]) -> list[Sequence[TrainingFolder]]:
    """Seeds that train stacked: those of an FCN, whose kernels are too small for a GPU alone."""
    if folders[0].experiment.network.kind == "fcn" and folders[0].processes == 1:
        return [folders]
    return [[folder] for folder in folders]


def train_alone(folder: TrainingFolder) -> None:
    """Train one network."""
    train_together([folder], ALONE)


def train_together(folders: Sequence[TrainingFolder], ranks: Ranks) -> None:
    """Train the seeds of one network, those after the same batch stacked."""
    with ranks.first_goes_ahead():  # it writes the initial state where there is none
        states = {folder.experiment: folder.state() for folder in folders}
    by_experiment = {folder.experiment: folder for folder in folders}

    left = [folder for folder in folders if not folder.ended(states[folder.experiment])]

    def position(folder: TrainingFolder) -> tuple[int, int]:
        state = states[folder.experiment]
        return state.epoch, state.part.batches

    def keep(experiment, state) -> None:
        if ranks.rank == 0:
            by_experiment[experiment].keep(state)

    for _, group in groupby(sorted(left, key=position), key=position):
        group = list(group)
        with bounded_by(f"training.batch_size of {group[0].experiment.network}"):
            train(
                [folder.experiment for folder in group],
                [states[folder.experiment] for folder in group],
                group[0].recipe,
                group[0].dataset,
                keep,
                ranks,
            )
    if ranks.rank == 0:
        for folder in folders:
            folder.publish(states[folder.experiment])


if __name__ == "__main__":
    exit_with_one_line(main)

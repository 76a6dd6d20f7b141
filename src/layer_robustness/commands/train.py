"""Train a family of experiments; each goes on from where it was stopped."""

import argparse
import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from layer_robustness import data
from layer_robustness.checkpoints import TrainingFolder, code_digest
from layer_robustness.devices import choose
from layer_robustness.errors import exit_with_one_line
from layer_robustness.experiments import parse_network
from layer_robustness.recipe import Recipe
from layer_robustness.training import train
from layer_robustness.workers import run_all


def main() -> None:
    """Train what the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--recipes", type=json.loads, required=True, metavar="JSON")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes on a CPU")
    arguments = parser.parse_args()
    code_digest()
    device = choose(arguments.device)
    dataset = data.load(arguments.data).to(device)
    families = [
        [
            TrainingFolder(arguments.results / str(experiment), experiment, recipe, dataset)
            for experiment in map(parse_network(name).seed, range(seeds))
        ]
        for name, seeds, recipe in read_recipes(arguments.recipes)
    ]
    if device.type == "cuda":
        for folders in families:
            train_stacked(folders)
    else:
        run_all(train_alone, longest_first(families), arguments.workers)


def read_recipes(recipes: dict[str, dict]) -> list[tuple[str, int, Recipe]]:
    """Split each network's entry into its number of seeds and its recipe."""
    return [
        (name, recipe["seeds"], Recipe.from_dict({k: v for k, v in recipe.items() if k != "seeds"}))
        for name, recipe in recipes.items()
    ]


def longest_first(families: Sequence[Sequence[TrainingFolder]]) -> list[TrainingFolder]:
    """Order single trainings so that the last ones to end are short."""

    def length(folder: TrainingFolder) -> int:
        depth, width = folder.experiment.network.fcn_shape
        return folder.recipe.epochs * depth * width**2

    return sorted((folder for family in families for folder in family), key=length, reverse=True)


def train_alone(folder: TrainingFolder) -> None:
    """Train one network."""
    train_stacked([folder])


def train_stacked(folders: Sequence[TrainingFolder]) -> None:
    """Train the seeds of one network, those at the same epoch stacked."""
    states = {folder.experiment: folder.state() for folder in folders}
    by_experiment = {folder.experiment: folder for folder in folders}

    def epoch(folder: TrainingFolder) -> int:
        return states[folder.experiment].epoch

    for _, group in groupby(sorted(folders, key=epoch), key=epoch):
        group = list(group)
        train(
            [folder.experiment for folder in group],
            [states[folder.experiment] for folder in group],
            group[0].recipe,
            group[0].dataset,
            keep=lambda experiment, state: by_experiment[experiment].keep(state),
        )
    for folder in folders:
        folder.publish(states[folder.experiment])


if __name__ == "__main__":
    exit_with_one_line(main)

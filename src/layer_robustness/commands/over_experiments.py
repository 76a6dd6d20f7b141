"""What the commands share that turn trained experiments into rows, one file for each."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from layer_robustness.data import dataset as data
from layer_robustness.data.dataset import Dataset, Summary
from layer_robustness.experiments.names import Experiment, parse_experiment
from layer_robustness.runtime.devices import choose
from layer_robustness.runtime.interruption import note_signals
from layer_robustness.runtime.workers import run_all
from layer_robustness.storage import rows
from layer_robustness.training.checkpoints import TrainedNetwork, code_digest

RowsOf = Callable[[TrainedNetwork], Iterable[dict]]


def weights_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser for experiments, results, draws and workers: enough to look at weights."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("experiments", nargs="+", help="such as mnist/fcn3x256/seed0")
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--draws", type=int, required=True, help="fresh draws for rerand")
    parser.add_argument("--workers", type=int, default=1, help="processes on a CPU")
    return parser


def parser(description: str) -> argparse.ArgumentParser:
    """Return the same parser with data and device, to test networks."""
    extended = weights_parser(description)
    extended.add_argument("--data", type=Path, required=True)
    extended.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    return extended


def write_rows(arguments: argparse.Namespace, name: str, rows_of: RowsOf) -> None:
    """Write `rows_of` each experiment, with its data, to `name`.csv in its folder."""
    code_digest()
    device = choose(arguments.device)
    dataset = data.load(arguments.data).to(device)
    workers = 1 if device.type == "cuda" else arguments.workers
    write_each(arguments, dataset, workers, name, rows_of)


def write_each(
    arguments: argparse.Namespace,
    dataset: Dataset | Summary,
    workers: int,
    name: str,
    rows_of: RowsOf,
) -> None:
    """Write `rows_of` each experiment, in so many processes, to `name`.csv in its folder."""

    def task(experiment: Experiment) -> None:
        trained = TrainedNetwork.load(arguments.results, experiment, dataset)
        rows.write(trained.folder / f"{name}.csv", rows_of(trained))

    note_signals()  # what is measured is kept, and workers leave between their steps
    run_all(task, [parse_experiment(name) for name in arguments.experiments], workers)

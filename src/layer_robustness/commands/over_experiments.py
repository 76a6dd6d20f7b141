"""What the commands share that turn trained experiments into rows, one file for each."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from layer_robustness import data, rows
from layer_robustness.checkpoints import TrainedNetwork, code_digest
from layer_robustness.devices import choose
from layer_robustness.experiments import Experiment, parse_experiment
from layer_robustness.workers import run_all


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser for data, results, experiments, draws, device and workers."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("experiments", nargs="+", help="such as mnist/fcn3x256/seed0")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--draws", type=int, required=True, help="fresh draws for rerand")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--workers", type=int, default=1, help="processes on a CPU")
    return parser


def write_rows(
    arguments: argparse.Namespace,
    name: str,
    rows_of: Callable[[TrainedNetwork], Iterable[dict]],
) -> None:
    """Write `rows_of` each experiment to `name`.csv in its folder."""
    code_digest()
    device = choose(arguments.device)
    dataset = data.load(arguments.data).to(device)

    def task(experiment: Experiment) -> None:
        trained = TrainedNetwork.load(arguments.results, experiment, dataset)
        rows.write(trained.folder / f"{name}.csv", rows_of(trained))

    workers = 1 if device.type == "cuda" else arguments.workers
    run_all(task, [parse_experiment(name) for name in arguments.experiments], workers)

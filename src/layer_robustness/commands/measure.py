"""What the commands share that turn trained experiments into rows."""

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path

from layer_robustness.data import dataset as data
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.names import Experiment
from layer_robustness.runtime.devices import choose
from layer_robustness.runtime.interruption import note_signals
from layer_robustness.runtime.workers import run_all
from layer_robustness.storage import bits, rows
from layer_robustness.training.trained import TrainedNetwork, check_data, tell_other_versions

RowsOf = Callable[[TrainedNetwork], Iterable[dict]]


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser for manifest, output and workers: enough to look at weights."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("manifest", type=Path, help="checkpoints.json of what was trained")
    parser.add_argument("--output", type=Path, required=True, help="the .csv file")
    parser.add_argument("--workers", type=int, default=1, help="processes on a CPU")
    return parser


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add data and device, to test networks."""
    parser.add_argument("--data", type=Path, required=True, help="the data set trained on")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")


def write_tested(
    arguments: argparse.Namespace, rows_of: Callable[[TrainedNetwork, Dataset], Iterable[dict]]
) -> None:
    """Write `rows_of` each experiment and its data, which is on the device to compute on."""
    device = choose(arguments.device)
    dataset = data.load(arguments.data).to(device)
    if device.type == "cuda":
        arguments.workers = 1

    def rows_of_trained(trained: TrainedNetwork) -> Iterable[dict]:
        check_data(trained, dataset)
        tell_other_versions(trained, device)
        return rows_of(trained, dataset)

    write_rows(arguments, rows_of_trained)


def write_rows(arguments: argparse.Namespace, rows_of: RowsOf) -> None:
    """Write `rows_of` all experiments of the manifest, measured in so many processes."""

    def task(experiment: Experiment) -> list[dict]:
        labels = {"network": str(experiment.network), "seed": experiment.seed}
        trained = TrainedNetwork.load(arguments.manifest, experiment, manifest)
        return [labels | row for row in rows_of(trained)]

    note_signals()  # measurements save what they have, and workers stop between their steps
    manifest = Manifest.load(arguments.manifest)
    found = run_all(task, manifest.experiments, arguments.workers)
    table = [row for part in found for row in part]
    if bits.MISSED in table[0]:
        bits.write(arguments.output, [row.pop(bits.MISSED).numpy() for row in table])
    rows.write(arguments.output, table)

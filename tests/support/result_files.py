"""Result files as the steps write them, and made-up ones of all that a figure needs."""

from pathlib import Path

import pandas as pd

from layer_robustness.experiments.manifest import Manifest, Trained, TrainingData
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.experiments.results import Results
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources
from layer_robustness.storage import rows

SEEDS = 2
PAPERS_DATA: Sources = {}
# Sources and draws; the last epoch differs by data set, as it does in a quick preset.
SOURCES = {
    "mnist": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("10", 0)],
    "cifar10": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("2", 0), ("4", 0)],
    "imagenet": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("3", 0)],
}
NAMES = ("error", "dist_l2", "dist_linf")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write made-up results as the steps write theirs."""
    rows.write(path, frame.to_dict("records"))


def read_csv(path: Path) -> pd.DataFrame:
    """Read results to make others of them; they may lack columns."""
    return pd.read_csv(path, dtype={"source": str})


def write_manifest(
    folder: Path, network: Network, recipe: Recipe, data: TrainingData, seeds: int, draws: int
) -> None:
    """Write the manifest of one network; there are no weights that belong to it."""
    names = [*(f"epoch{e}" for e in recipe.checkpoints), *(f"rerand{n}" for n in range(draws))]
    trained = Trained([], None, dict.fromkeys(names, ""))
    experiments = {network.seed(seed): trained for seed in range(seeds)}
    Manifest(data, recipe, experiments).save(folder / str(network) / "checkpoints.json")


def results_in(folder: Path) -> Results:
    """Read all result files and manifests of a folder."""
    manifests = sorted(folder.glob("*/*/checkpoints.json"))
    return Results.read(manifests, sorted(folder.glob("*/*/*.csv")))


def arguments_of(folder: Path) -> list[object]:
    """Return what tells a command to read all result files and manifests of a folder."""
    results, manifests = folder.glob("*/*/*.csv"), folder.glob("*/*/checkpoints.json")
    read = ["--results", *sorted(results), "--manifests", *sorted(manifests)]
    return [*read, "--preset", "made_up"]


def write_results(
    folder: Path, figure: Figure, recipe: Recipe, sources: Sources = PAPERS_DATA
) -> Results:
    """Write made-up result files of all that a figure needs, and read them.

    sources
        What stands in for the paper's own data sets.
    """
    groups = dict.fromkeys(panel.group for panel in figure.panels if panel.group)
    for network, file in figure.needs:
        units = {
            "probe.csv": (*network.units, "fullmodel"),
            "joint.csv": [unit for group in groups for unit in (group, f"not {group}")],
            "distances.csv": network.units,
        }[file]
        own = sum(str(network).encode()) / 1e6  # all numbers differ, those of networks too
        rows = [
            {"network": str(network), "seed": seed, "unit": unit, "source": source, "draw": draw}
            | {
                name: own + position + column / 10 + seed / 100 + number / 1000
                for number, name in enumerate(NAMES)
            }
            for seed in range(SEEDS)
            for position, unit in enumerate(units)
            for column, (source, draw) in enumerate(SOURCES[network.dataset])
        ]
        write_csv(folder / str(network) / file, pd.DataFrame(rows))
        source = sources.get(network.dataset, network.dataset)
        data = TrainingData(source, "made up", (1, 28, 28), 10)
        write_manifest(folder, network, recipe, data, SEEDS, draws=2)
    return results_in(folder)

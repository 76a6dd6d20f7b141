"""Result files as the steps write them, and made-up ones of all that a figure needs."""

import io
from pathlib import Path

import pandas as pd

from layer_robustness.figures.figure import Figure
from layer_robustness.storage import rows

SEEDS = 2
# Sources and draws; the last epoch differs by data set, as it does in a quick preset.
SOURCES = {
    "mnist": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("10", 0)],
    "cifar10": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("2", 0), ("4", 0)],
    "imagenet": [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("3", 0)],
}
NAMES = ("error", "dist_l2", "dist_linf")
FILES = ("probe.csv", "joint.csv", "distances.csv")


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write made-up results as the steps write theirs."""
    rows.write(path, frame.to_dict("records"))


def read_csv(path: Path) -> pd.DataFrame:
    """Read results to make others of them."""
    return pd.read_csv(io.StringIO(rows.verified(path)), dtype={"source": str})


def made_up(network: str, file: str, position: float, column: float, seed: float, name: str):
    """Return a number that tells where it comes from."""
    number = position + column / 10 + seed / 100 + NAMES.index(name) / 1000
    return number + sum(network.encode()) / 1e6 + FILES.index(file) * 1000


def group_units(network, figure: Figure) -> list[str]:
    groups = {panel.group: 0 for panel in figure.panels if panel.group}
    return [unit for group in groups for unit in (group, f"not {group}")]


def write_results(results, figure: Figure) -> dict[str, int]:
    """Write made-up result files of all that a figure needs, and return the seeds."""
    for network, file in figure.needs:
        units = (
            group_units(network, figure) if file == "joint.csv" else [*network.units, "fullmodel"]
        )
        if file == "distances.csv":
            units = network.units
        for seed in range(SEEDS):
            rows = [
                {
                    "unit": unit,
                    "source": source,
                    "draw": draw,
                    **{
                        name: made_up(str(network), file, position, column, seed, name)
                        for name in NAMES
                    },
                }
                for position, unit in enumerate(units)
                for column, (source, draw) in enumerate(SOURCES[network.dataset])
            ]
            path = results / str(network.seed(seed)) / file
            write_csv(path, pd.DataFrame(rows))
    return {str(network): SEEDS for network in figure.networks}

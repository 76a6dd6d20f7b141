"""How a preset ran a network, where that decides what its results can be compared with."""

import json
from dataclasses import dataclass
from pathlib import Path

from layer_robustness.paper import values as paper
from layer_robustness.paper.criticality import chance
from layer_robustness.storage import jsonfile


@dataclass(frozen=True)
class Setup:
    """How a network was trained: on which source of images, how wide, how long, how often.

    width
        Factor of the paper's channels.
    """

    data: str
    classes: int
    width: float
    epochs: int
    seeds: int

    @property
    def chance(self) -> float:
        """Test error of guessing."""
        return chance(self.classes)

    def is_the_papers(self, dataset: str) -> bool:
        """Whether data, width and epochs are the paper's, so that levels can be compared."""
        return (self.data, self.width, self.epochs) == (dataset, 1, paper.EPOCHS)


def read(text: str, data: Path) -> dict[str, Setup]:
    """Return the setup of each network that is trained, by its name.

    Parameters
    ----------
    text
        What `Plan.setups` returns, as JSON.
    data
        Folder of the data sets' summaries, which know the number of classes.

    Raises
    ------
    InputError
        If a summary is missing or damaged.
    """
    found = {}
    for network, setup in json.loads(text).items():
        summary = jsonfile.load(data / f"{setup['data']}.json")
        found[network] = Setup(classes=summary["classes"], **setup)
    return found


def describe(preset: str, setups: dict[str, Setup]) -> str:
    """Say which data, scale and seeds stand for each of the paper's data sets."""
    parts = []
    for dataset in dict.fromkeys(network.partition("/")[0] for network in setups):
        run = [setup for name, setup in setups.items() if name.startswith(f"{dataset}/")]
        width, epochs, count = (
            "/".join(f"{value:g}" for value in sorted({getattr(setup, key) for setup in run}))
            for key in ("width", "epochs", "seeds")
        )
        scale = f"width {width}, {epochs} epochs, seeds: {count}"
        parts.append(f"{dataset} = {run[0].data} ({scale})")
    return f"{preset} preset: {'; '.join(parts) or 'nothing was run'}."


def seeds(setups: dict[str, Setup]) -> dict[str, int]:
    """Return the number of seeds of each network."""
    return {network: setup.seeds for network, setup in setups.items()}

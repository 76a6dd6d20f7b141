"""How a preset ran networks, where that decides what its results can be compared with."""

from collections.abc import Mapping

from layer_robustness.experiments.results import Setup
from layer_robustness.paper import values as paper


def is_the_papers(setup: Setup, dataset: str) -> bool:
    """Whether data, width and epochs are the paper's, so that levels can be compared."""
    return (setup.data, setup.width, setup.epochs) == (dataset, 1, paper.EPOCHS)


def all_papers(setups: Mapping[str, Setup]) -> bool:
    """Whether all networks that were run were run as the paper's."""
    return all(is_the_papers(setup, name.partition("/")[0]) for name, setup in setups.items())


def describe(preset: str, setups: Mapping[str, Setup]) -> str:
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

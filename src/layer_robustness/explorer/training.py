"""The training curves of the networks behind the heatmaps."""

from collections.abc import Mapping
from pathlib import Path

from layer_robustness.experiments.names import parse_network
from layer_robustness.explorer.panels import without_nan
from layer_robustness.figures.collect import read

CURVES = ("train_loss", "train_error", "test_error")


def training(results: Path, seeds: Mapping[str, int]) -> dict[str, dict[str, list]]:
    """Return the curves of each network, of builtin types: `epoch`, and of each curve by epoch the
    mean over seeds (`test_error`) and the sample standard deviation (`test_error_std`).

    Parameters
    ----------
    results
        Folder of the preset.
    seeds
        Number of seeds of each network that was trained.
    """
    found = {}
    for name, count in seeds.items():
        history = read(results, parse_network(name), count, "training.csv")
        by_epoch = history.groupby("epoch")[list(CURVES)]
        curves = by_epoch.mean().join(by_epoch.std().add_suffix("_std")).reset_index()
        found[name] = without_nan(curves).to_dict("list")
    return found

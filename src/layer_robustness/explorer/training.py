"""The training curves of the networks behind the heatmaps."""

import pandas as pd

from layer_robustness.explorer.panels import without_nan

CURVES = ("train_loss", "train_error", "test_error")


def training(histories: pd.DataFrame | None) -> dict[str, dict[str, list]]:
    """Return the curves of each network, of builtin types: `epoch`, and of each curve by epoch the
    mean over seeds (`test_error`) and the sample standard deviation (`test_error_std`).

    Parameters
    ----------
    histories
        The rows of training.csv of all networks, if any was trained.
    """
    found = {}
    if histories is None:
        return found
    for name, history in histories.groupby("network", sort=False):
        by_epoch = history.groupby("epoch")[list(CURVES)]
        curves = by_epoch.mean().join(by_epoch.std().add_suffix("_std")).reset_index()
        found[str(name)] = without_nan(curves).to_dict("list")
    return found

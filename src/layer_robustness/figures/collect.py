"""From result files to the numbers that a figure draws.

Each value is a mean over seeds of means over draws; its `std` is the sample standard deviation over
seeds, empty for one seed, and its `std_draws` the same over draws, averaged over seeds. Seeds that
diverged are left out of all of these, and counted as `did_not_train`.
"""

from dataclasses import replace

import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.results import Results
from layer_robustness.figures.figure import Figure, Panel

CELL_COLUMNS = (
    *("figure", "dataset", "architecture", "variant", "joint_group", "layer", "checkpoint"),
    *("quantity", "value", "std", "std_draws", "seeds", "did_not_train", "draws"),
)
# The columns of what a figure draws, by its kind.
COLUMNS = {
    "heatmap": CELL_COLUMNS,
    "lines": CELL_COLUMNS,
    "bars": (
        *("figure", "dataset", "hidden_layers", "width", "reinit_error_mean", "full_error_mean"),
        *("reinit_error_std", "seeds", "did_not_train"),
    ),
    "blocks": ("figure", "unit", "node", "label", "inputs"),
}


def cells(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Average a column over draws, then over seeds; one row for each unit and source, in order."""
    by = ["unit", "source"]
    draws = frame.groupby(by, sort=False)["draw"].nunique().rename("draws")
    per_seed = frame.groupby([*by, "seed"], sort=False)[column].agg(["mean", "std"])
    found = per_seed.groupby(by, sort=False).agg(
        value=("mean", "mean"),
        std=("mean", "std"),
        std_draws=("std", "mean"),
        seeds=("mean", "count"),
        all=("mean", "size"),
    )
    found["did_not_train"] = found["all"] - found["seeds"]
    return found.join(draws).reset_index()


def cells_panel(figure: Figure, panel: Panel, results: Results) -> pd.DataFrame:
    """Return the cells of a panel: one row for each layer and checkpoint, in drawing order."""
    (network,) = panel.networks
    column = "error" if panel.quantity == "test_error" else panel.quantity
    found = cells(results.of(network, panel.file), column)
    if panel.group:
        found = joint_cells(network, panel.group, found)
    if figure.kind == "lines":  # the whole network is no point on a line of layers
        found = found[found["unit"] != "fullmodel"]
    labelled = found.rename(columns={"unit": "layer", "source": "checkpoint"}).assign(
        figure=panel.name,
        dataset=network.dataset,
        architecture=network.architecture,
        variant=network.variant,
        joint_group=panel.group,
        quantity=panel.quantity,
    )
    return labelled[list(CELL_COLUMNS)]


def joint_cells(network: Network, group: str, found: pd.DataFrame) -> pd.DataFrame:
    """Give each unit the row of its group: the group itself or the units outside it."""
    inside = members(network, group)
    rows = [
        found[found["unit"] == (group if unit in inside else f"not {group}")].assign(unit=unit)
        for unit in network.units
    ]
    return pd.concat(rows, ignore_index=True)


def last_epoch(frame: pd.DataFrame) -> str:
    """Return the last of the epochs that units are reset to."""
    return max(frame["source"][frame["source"] != "rerand"], key=int)


def final_errors(training: pd.DataFrame) -> pd.Series:
    """Test error after the last epoch, by seed; NaN for one that diverged."""
    return training.sort_values("epoch").groupby("seed").tail(1).set_index("seed")["test_error"]


def bar_errors(frame: pd.DataFrame, network: Network) -> tuple[pd.Series, pd.Series]:
    """Return two errors by seed: of the full model, and with one layer re-initialized.

    The latter is a mean over all layers but the first, each reset to checkpoint 0.
    """
    full = (frame["unit"] == "fullmodel") & (frame["source"] == last_epoch(frame))
    upper = frame["unit"].isin(network.units[1:]) & (frame["source"] == "0")
    return tuple(frame[rows].groupby("seed")["error"].mean() for rows in (full, upper))


def bars_panel(figure: Figure, panel: Panel, results: Results) -> pd.DataFrame:
    """Return the bars of Figure 2, from `bar_errors`; deviations are over seeds."""
    rows = []
    for network in panel.networks:
        frame = results.of(network, panel.file)
        full, reset = bar_errors(frame, network)
        hidden_layers, width = network.fcn_shape
        rows.append(
            {
                "figure": panel.name,
                "dataset": network.dataset,
                "hidden_layers": hidden_layers,
                "width": width,
                "reinit_error_mean": reset.mean(),
                "full_error_mean": full.mean(),
                "reinit_error_std": reset.std(),
                "seeds": reset.count(),
                "did_not_train": reset.isna().sum(),
            }
        )
    return pd.DataFrame(rows)


def collect(figure: Figure, results: Results) -> pd.DataFrame:
    """Return everything that a figure draws; networks that were not run are left out."""
    of_panel = bars_panel if figure.kind == "bars" else cells_panel
    panels = []
    for panel in figure.panels:
        if ran := tuple(network for network in panel.networks if results.ran([network])):
            panels.append(of_panel(figure, replace(panel, networks=ran), results))
    if not panels:
        return pd.DataFrame(columns=COLUMNS[figure.kind])
    return pd.concat(panels, ignore_index=True)

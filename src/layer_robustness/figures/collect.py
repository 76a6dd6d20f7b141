"""From result files to the numbers that a figure draws.

Each value is a mean over seeds of means over draws; its `std` is the sample standard deviation over
seeds, empty for one seed.
"""

from pathlib import Path

import pandas as pd

from layer_robustness.experiments import Network
from layer_robustness.figures.registry import Figure, Panel
from layer_robustness.groups import members


def read(results: Path, network: Network, seeds: int, file: str) -> pd.DataFrame:
    """Read one file of every seed of a network; a row for each seed, unit, source and draw."""
    frames = {
        seed: pd.read_csv(results / str(network.seed(seed)) / file, dtype={"source": str})
        for seed in range(seeds)
    }
    return pd.concat(frames, names=["seed"]).reset_index("seed")


def cells(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Average a column over draws, then over seeds; one row for each unit and source, in order."""
    by = ["unit", "source"]
    draws = frame.groupby(by, sort=False)["draw"].nunique()
    per_seed = frame.groupby([*by, "seed"], sort=False)[column].mean()
    over_seeds = per_seed.groupby(by, sort=False).agg(["mean", "std", "count"])
    return over_seeds.join(draws).reset_index()


def heatmap_panel(figure: Figure, panel: Panel, results: Path, seeds: int) -> pd.DataFrame:
    """Return a heatmap's cells: one row for each layer and checkpoint, in drawing order."""
    (network,) = panel.networks
    column = "error" if panel.quantity == "test_error" else panel.quantity
    found = cells(read(results, network, seeds, panel.file), column)
    if panel.group:
        found = joint_cells(network, panel.group, found)
    return pd.DataFrame(
        {
            "figure": f"{figure.number}{panel.letter}",
            "dataset": network.dataset,
            "architecture": network.architecture,
            "variant": network.variant,
            "joint_group": panel.group,
            "layer": found["unit"],
            "checkpoint": found["source"],
            "quantity": panel.quantity,
            "value": found["mean"],
            "std": found["std"],
            "seeds": found["count"],
            "draws": found["draw"],
        }
    )


def joint_cells(network: Network, group: str, found: pd.DataFrame) -> pd.DataFrame:
    """Give each unit the row of its group: the group itself or the units outside it."""
    inside = members(network, group)
    rows = [
        found[found["unit"] == (group if unit in inside else f"not {group}")].assign(unit=unit)
        for unit in network.units
    ]
    return pd.concat(rows, ignore_index=True)


def bar_errors(frame: pd.DataFrame, network: Network) -> tuple[pd.Series, pd.Series]:
    """Return two errors by seed: of the full model, and with one layer re-initialized.

    The latter is a mean over all layers but the first, each reset to checkpoint 0.
    """
    last = max(frame["source"][frame["source"] != "rerand"], key=int)
    full = (frame["unit"] == "fullmodel") & (frame["source"] == last)
    upper = frame["unit"].isin(network.units[1:]) & (frame["source"] == "0")
    return tuple(frame[rows].groupby("seed")["error"].mean() for rows in (full, upper))


def bars_panel(figure: Figure, panel: Panel, results: Path, seeds: dict[str, int]) -> pd.DataFrame:
    """Return the bars of Figure 2, from `bar_errors`; deviations are over seeds."""
    rows = []
    for network in panel.networks:
        frame = read(results, network, seeds[str(network)], "probe.csv")
        full, reset = bar_errors(frame, network)
        hidden_layers, width = network.fcn_shape
        rows.append(
            {
                "figure": f"{figure.number}{panel.letter}",
                "dataset": network.dataset,
                "hidden_layers": hidden_layers,
                "width": width,
                "reinit_error_mean": reset.mean(),
                "full_error_mean": full.mean(),
                "reinit_error_std": reset.std(),
                "seeds": len(reset),
            }
        )
    return pd.DataFrame(rows)


def collect(figure: Figure, results: Path, seeds: dict[str, int]) -> pd.DataFrame:
    """Return everything that a figure draws; panels of networks without seeds are left out.

    Parameters
    ----------
    results
        Folder of the preset.
    seeds
        Number of seeds of each network that was trained.
    """
    panels = []
    for panel in figure.panels:
        if not all(str(network) in seeds for network in panel.networks):
            continue
        if figure.kind == "bars":
            panels.append(bars_panel(figure, panel, results, seeds))
        else:
            panels.append(heatmap_panel(figure, panel, results, seeds[str(panel.networks[0])]))
    return pd.concat(panels, ignore_index=True)

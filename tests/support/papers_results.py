"""Result files that say what the paper says, for tests of the comparison and the claims.

Two seeds of every network, whose only difference is the one between the whiskers of Figure 2.
"""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import TrainingData
from layer_robustness.experiments.names import Network
from layer_robustness.paper import values as paper
from layer_robustness.paper.claims.evidence import Evidence
from layer_robustness.paper.comparison.values import COMPARED
from layer_robustness.tables.registry import Table
from support.checkout import ROOT
from support.plans import plan
from support.result_files import read_csv, results_in, write_csv, write_manifest
from support.stochastic import SETTINGS

VALUES = paper.load(ROOT / "resources/paper")
SEEDS = 2
EPOCHS = ("0", "1", "10", "100")
RECIPE = plan("paper").job("cifar10/vgg16").recipe


def write_rows(folder: Path, network: Network, file: str, rows: pd.DataFrame, seed=None) -> None:
    """Write rows for one seed or all; what the file has of other seeds, units, columns is kept."""
    path = folder / str(network) / file
    numbers = range(SEEDS) if seed is None else [seed]
    rows = pd.concat([rows.assign(network=str(network), seed=number) for number in numbers])
    key = [name for name in ("network", "seed", "unit", "source", "draw") if name in rows]
    if path.exists() and "unit" in key:
        both = pd.concat([rows, read_csv(path)])
        rows = both.groupby(key, sort=False, as_index=False).first()
    write_csv(path, rows)
    dataset = network.dataset
    data = TrainingData(dataset, "the paper's", (3, 32, 32), paper.CLASSES[dataset])
    write_manifest(folder, network, RECIPE, data, SEEDS, draws=1)


def write_heatmap(folder: Path, figure) -> None:
    """Write the cells of a heatmap; of a joint panel one layer of each group."""
    for panel in figure.panels:
        (network,) = panel.networks
        cells = VALUES[VALUES["target"] == panel.name]
        column = "error" if panel.quantity == "test_error" else panel.quantity
        rows = cells[["layer", "checkpoint", "value"]].assign(draw=0)
        rows.columns = ["unit", "source", column, "draw"]
        if panel.group:
            inside = rows["unit"].isin(members(network, panel.group))
            rows["unit"] = inside.map({True: panel.group, False: f"not {panel.group}"})
            rows = rows.drop_duplicates(["unit", "source"])
        write_rows(folder, network, panel.file, rows)


def write_bars(folder: Path, figure) -> None:
    """Write errors whose means and deviations over seeds are the bars'; the rest is at chance."""
    for network in figure.networks:
        bar = VALUES[(VALUES["architecture"] == network.architecture)]
        bar = bar[(bar["dataset"] == network.dataset) & bar["target"].str.startswith("2")]
        value = bar.set_index("quantity")["value"]
        half = value["reinit_error_std"] / 2**0.5
        for seed, sign in enumerate((1, -1)):
            reset = value["reinit_error_mean"] + sign * half
            rows = [
                (unit, source, 0, value["full_error_mean"] if source == "100" else 0.9)
                for unit in (*network.units, "fullmodel")
                for source in ("rerand", *EPOCHS)
            ]
            rows = pd.DataFrame(rows, columns=["unit", "source", "draw", "error"])
            upper = rows["unit"].isin(network.units[1:]) & (rows["source"] == "0")
            rows.loc[upper, "error"] = reset
            write_rows(folder, network, "probe.csv", rows, seed)


def write_table(folder: Path, table) -> None:
    """Write final errors, and for Table 1 blocks whose errors have its means and deviations."""
    values = VALUES[VALUES["target"] == table.name].set_index(
        ["dataset", "architecture", "quantity"]
    )["value"]
    for row in table.rows:
        of_row = row.dataset, row.architecture
        for column in table.columns:
            network = column.network(row)
            if column.quantity == "reinit_error":
                mean, deviation = (
                    values[*of_row, f"{column.name}_{end}"] for end in ("mean", "std")
                )
                write_blocks(folder, network, mean, deviation)
            elif (*of_row, column.name) in values:
                error = values[*of_row, column.name]
                history = pd.DataFrame({"epoch": [1, 100], "test_error": [0.9, error]})
                history = history.assign(train_loss=0, train_error=0)
                write_rows(folder, network, "training.csv", history)


def write_blocks(folder: Path, network: Network, mean: float, deviation: float) -> None:
    blocks = members(network, "all_but_first")
    signs = np.resize([1.0, -1.0], len(blocks))
    signs[-1] = 0 if len(blocks) % 2 else signs[-1]
    errors = mean + deviation * signs / signs.std()
    rows = {"unit": blocks, "source": "0", "draw": 0, "error": errors}
    write_rows(folder, network, "probe.csv", pd.DataFrame(rows))


def write_adversarial(folder: Path, _: Table) -> None:
    """Write five repetitions of every entry of Table 2, with its mean and deviation."""
    spread = np.array([1, -1, 0, 0, 0]) / 0.5**0.5
    for architecture, entries in VALUES[VALUES["target"] == "table2"].groupby("architecture"):
        rows = []
        means = entries[entries["quantity"].str.endswith("_mean")]
        deviations = entries.set_index(["variant", "quantity"])["value"]
        for variant, quantity, value in means[["variant", "quantity", "value"]].to_numpy():
            stochastic = variant != "baseline"
            deviation = deviations[variant, quantity.replace("_mean", "_std")]
            r, s = map(int, variant[1:].split("s")) if stochastic else (None, None)
            rows += [
                {
                    "configuration": "stochastic" if stochastic else "baseline",
                    **{"r": r, "s": s, "attack": quantity.removesuffix("_mean")},
                    **{"repetition": repetition, "accuracy": accuracy, "images": 1000},
                    **asdict(SETTINGS),
                }
                for repetition, accuracy in enumerate(value + deviation * spread)
            ]
        network = Network("cifar10", architecture)
        write_rows(folder, network, "adversarial.csv", pd.DataFrame(rows))


def write_target(folder: Path, target) -> None:
    """Write what one figure or table reads."""
    write = {
        "heatmap": write_heatmap,
        "bars": write_bars,
        "errors": write_table,
        "adversarial": write_adversarial,
    }
    write[target.kind](folder, target)


def write_all(folder: Path) -> None:
    """Write everything; where two figures differ the heatmap counts."""
    for target in sorted(COMPARED, key=lambda target: target.kind == "heatmap"):
        write_target(folder, target)


def evidence(folder: Path, **changes) -> Evidence:
    """Read what was written, with changes in how every network was run."""
    results = results_in(folder)
    setups = {name: replace(setup, **changes) for name, setup in results.setups.items()}
    return Evidence(replace(results, setups=setups))

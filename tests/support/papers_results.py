"""Result files that say what the paper says, for tests of the comparison and the claims.

Two seeds of every network, whose only difference is the one between the whiskers of Figure 2.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import TrainingData
from layer_robustness.experiments.names import Network
from layer_robustness.figures.figure import Figure
from layer_robustness.paper import values as paper
from layer_robustness.paper.claims.evidence import Evidence
from layer_robustness.tables.registry import Table
from support.checkout import ROOT
from support.plans import plan
from support.result_files import results_in, write_csv, write_manifest
from support.stochastic import SETTINGS

VALUES = paper.load(ROOT / "resources/paper")
SEEDS = 2
EPOCHS = ("0", "1", "10", "100")
RECIPE = plan("paper").job("cifar10/vgg16").recipe
Rows = tuple[Network, str, pd.DataFrame]  # and of which file they are


def of_heatmap(figure: Figure) -> Iterator[Rows]:
    """Return the cells of a heatmap; of a joint panel one layer of each group."""
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
        yield network, panel.file, of_all_seeds(rows)


def of_bars(figure: Figure) -> Iterator[Rows]:
    """Return errors whose means and deviations over seeds are the bars'; the rest is at chance."""
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
            yield network, "probe.csv", rows.assign(seed=seed)


def of_table(table: Table) -> Iterator[Rows]:
    """Return final errors, and for Table 1 blocks whose errors have its means and deviations."""
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
                yield network, "probe.csv", of_all_seeds(blocks(network, mean, deviation))
            elif (*of_row, column.name) in values:
                error = values[*of_row, column.name]
                history = pd.DataFrame({"epoch": [1, 100], "test_error": [0.9, error]})
                history = history.assign(train_loss=0, train_error=0)
                yield network, "training.csv", of_all_seeds(history)


def blocks(network: Network, mean: float, deviation: float) -> pd.DataFrame:
    units = members(network, "all_but_first")
    signs = np.resize([1.0, -1.0], len(units))
    signs[-1] = 0 if len(units) % 2 else signs[-1]
    errors = mean + deviation * signs / signs.std()
    return pd.DataFrame({"unit": units, "source": "0", "draw": 0, "error": errors})


def of_attacks(table: Table) -> Iterator[Rows]:
    """Return five repetitions of every entry of Table 2, with its mean and deviation."""
    spread = np.array([1, -1, 0, 0, 0]) / 0.5**0.5
    for architecture, entries in VALUES[VALUES["target"] == table.name].groupby("architecture"):
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
        yield network, "adversarial.csv", of_all_seeds(pd.DataFrame(rows))


def of_all_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(rows.assign(seed=seed) for seed in range(SEEDS))


OF_KIND = {"heatmap": of_heatmap, "bars": of_bars, "errors": of_table, "adversarial": of_attacks}


def write(folder: Path, targets: Iterable[Figure | Table]) -> None:
    """Write what figures and tables read; where two of them differ the heatmap counts."""
    found = defaultdict(list)
    for target in sorted(targets, key=lambda target: target.kind != "heatmap"):
        for network, file, rows in OF_KIND[target.kind](target):
            found[network, file].append(rows.assign(network=str(network)))
    for (network, file), parts in found.items():
        rows = pd.concat(parts)
        if len(parts) > 1:
            labels = ("network", "seed", "unit", "source", "draw", "epoch")
            by = [name for name in labels if name in rows]
            rows = rows.groupby(by, sort=False).first().reset_index()
        write_csv(folder / str(network) / file, rows)
        dataset = network.dataset
        data = TrainingData(dataset, "the paper's", (3, 32, 32), paper.CLASSES[dataset])
        write_manifest(folder, network, RECIPE, data, SEEDS, draws=1)


def evidence(folder: Path, **changes) -> Evidence:
    """Read what was written, with changes in how every network was run."""
    results = results_in(folder)
    setups = {name: replace(setup, **changes) for name, setup in results.setups.items()}
    return Evidence(replace(results, setups=setups))

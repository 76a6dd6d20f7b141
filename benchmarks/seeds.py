"""How much the pattern of Figures 3 and 4 depends on the seed: AUC and kappa of three, as a table.

Trains their eight networks by the quick preset's recipes, under results/seeds/, and compares each
seed with the paper's values as paper_figures/quick/comparison_panels.csv does.
"""

import subprocess
from pathlib import Path

import pandas as pd
import yaml
from machine import describe

from layer_robustness.experiments import paths
from layer_robustness.experiments.names import parse_network
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.agreement import auc_of, kappa
from layer_robustness.paper.criticality import CRITICAL, chance, cost

NETWORKS = [str(n) for name in ("figure3", "figure4") for n in FIGURES[name].networks]
SEEDS = 3
PRESET = "seeds"


def write_preset(path: Path) -> None:
    """Write the quick preset with more seeds, as a preset of its own."""
    config = yaml.safe_load(Path("config/presets/quick.yaml").read_text())
    config["training"] |= {name: {"seeds": SEEDS} for name in NETWORKS}
    path.write_text(yaml.safe_dump(config | {"preset": PRESET}))


def costs(rows: pd.DataFrame, full: float, classes: int) -> pd.Series:
    """Return the cost of re-initializing each unit to epoch 0."""
    return cost(rows.set_index("unit")["error"], full, chance(classes))


def compared(name: str, theirs: pd.DataFrame) -> list[dict]:
    """Return AUC and kappa of each seed."""
    network = parse_network(name)
    frame = pd.read_csv(paths.result(PRESET, name, paths.PROBE), dtype={"source": str})
    published = theirs[(theirs["dataset"] == network.dataset) & (theirs["variant"] == "")]
    published = published[published["architecture"] == network.architecture]
    published = published[published["target"].str.match(r"[34][a-d]")]
    published = published.rename(columns={"layer": "unit", "value": "error"})
    full = published[(published["unit"] == "fullmodel") & (published["checkpoint"] == "100")]
    initial = published[published["checkpoint"] == "0"]
    expected = costs(initial, float(full["error"].iloc[0]), 10)[list(network.units)]
    found = []
    for seed, rows in frame.groupby("seed"):
        last = max(rows["source"][rows["source"] != "rerand"], key=int)
        error = float(rows[rows["source"] == last]["error"].iloc[0])
        ours = costs(rows[rows["source"] == "0"], error, 10)[list(network.units)]
        row = {"network": name, "seed": seed, "test error": error, "AUC": auc_of(network, ours)}
        found.append(row | {"kappa": kappa(expected > CRITICAL, ours > CRITICAL)})
    return found


def main() -> None:
    config = Path("results/seeds.yaml")
    config.parent.mkdir(exist_ok=True)
    write_preset(config)
    targets = [paths.result(PRESET, name, paths.PROBE) for name in NETWORKS]
    subprocess.run(["snakemake", *targets, f"--configfile={config}", "--quiet"], check=True)
    theirs = paper.load(Path("resources/paper"))
    rows = [row for name in NETWORKS for row in compared(name, theirs)]
    print(describe())
    table = pd.DataFrame(rows)
    print(table.to_markdown(index=False, floatfmt=".3f"))
    print(
        table.groupby("seed")[["AUC", "kappa"]].agg({"AUC": "min", "kappa": "mean"}).to_markdown()
    )


if __name__ == "__main__":
    main()

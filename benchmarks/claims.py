"""What a preset's results say about the paper's claims 1, 2, 3 and 7, as far as they are there.

    python benchmarks/claims.py results/quick

Each number is a mean over seeds (of means over draws), with the sample standard deviation.
"""

import sys
from pathlib import Path

import pandas as pd

from layer_robustness.experiments import Network, parse_network
from layer_robustness.figures.collect import bar_errors, cells, read
from layer_robustness.figures.registry import WIDTHS
from layer_robustness.groups import members


def seeds(results: Path, network: Network, file: str) -> int:
    return len(list(results.glob(f"{network}/seed*/{file}")))


def errors(results: Path, network: Network, file: str = "probe.csv") -> pd.DataFrame:
    """Mean and deviation of the error, by unit and source."""
    frame = read(results, network, seeds(results, network, file), file)
    return cells(frame, "error").set_index(["unit", "source"])[["mean", "std"]]


def tell(row: pd.Series) -> str:
    return f"{row['mean']:.3f} ± {row['std']:.3f}"


def single_layers(results: Path, network: Network) -> None:
    table = errors(results, network)
    last = table.loc["fullmodel"].index[-1]
    print(f"\n{network}: full model {tell(table.loc[('fullmodel', last)])}\n")
    print("| layer | re-randomized | re-initialized to 0 |\n|---|---:|---:|")
    for unit in network.units:
        print(f"| {unit} | {tell(table.loc[(unit, 'rerand')])} | {tell(table.loc[(unit, '0')])} |")


def widths(results: Path) -> None:
    print("\nFull model, and one layer but the first re-initialized to 0 (mean over layers)\n")
    print("| width | 3 layers: full | reset | 5 layers: full | reset |\n|---:|---:|---:|---:|---:|")
    for width in WIDTHS:
        row = [str(width)]
        for depth in (3, 5):
            network = Network("mnist", f"fcn{depth}x{width}")
            frame = read(results, network, seeds(results, network, "probe.csv"), "probe.csv")
            row += [tell(per_seed.agg(["mean", "std"])) for per_seed in bar_errors(frame, network)]
        print(f"| {' | '.join(row)} |")


def joint(results: Path, network: Network) -> None:
    single, together = errors(results, network), errors(results, network, "joint.csv")
    print(f"\n{network}: layers re-initialized to 0\n")
    print("| layers | worst of them alone | all of them jointly |\n|---|---:|---:|")
    for group in together.index.unique("unit"):
        if not group.startswith("not "):
            units = members(network, group)
            alone = single.loc[[(unit, "0") for unit in units]]
            worst = alone.loc[alone["mean"].idxmax()]
            names = ", ".join(unit.removeprefix("layer") for unit in units)
            print(f"| {names} | {tell(worst)} | {tell(together.loc[(group, '0')])} |")


def main() -> None:
    results = Path(sys.argv[1])
    for name in ("mnist/fcn3x256", "mnist/fcn5x256"):
        network = parse_network(name)
        if seeds(results, network, "probe.csv"):
            single_layers(results, network)
        if seeds(results, network, "joint.csv"):
            joint(results, network)
    if all(seeds(results, Network("mnist", f"fcn3x{width}"), "probe.csv") for width in WIDTHS):
        widths(results)


if __name__ == "__main__":
    main()

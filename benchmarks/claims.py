"""What a preset's results say about the paper's claims 1 to 5, 7 and 8, as far as they are there.

    python benchmarks/claims.py results/quick

Each number is a mean over seeds (of means over draws), with the sample standard deviation where
there are several seeds.
"""

import sys
from pathlib import Path

import pandas as pd

from layer_robustness.experiments.groups import downsampling, identity_skips, members
from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.results import Results
from layer_robustness.experiments.sweeps import WIDTHS, job_of
from layer_robustness.figures.collect import bar_errors, cells

VGGS = ("vgg11", "vgg13", "vgg16", "vgg19")
RESNETS = ("resnet18", "resnet50", "resnet101", "resnet152")


def has(results: Path, network: Network, file: str) -> bool:
    return (results / job_of(network) / file).exists()


def read(results: Path, network: Network, file: str) -> pd.DataFrame:
    """Rows of all seeds."""
    return Results.read([], [results / job_of(network) / file]).of(network, file)


def errors(results: Path, network: Network, file: str = "probe.csv") -> pd.DataFrame:
    """Mean and deviation of the error, by unit and source."""
    frame = read(results, network, file)
    return cells(frame, "error").set_index(["unit", "source"])[["mean", "std"]]


def full_model(table: pd.DataFrame) -> pd.Series:
    """The final network's own row."""
    return table.loc["fullmodel"].iloc[-1]


def tell(row: pd.Series) -> str:
    deviation = "" if pd.isna(row["std"]) else f" ± {row['std']:.3f}"
    return f"{row['mean']:.3f}{deviation}"


def single_layers(results: Path, network: Network) -> None:
    table = errors(results, network)
    print(f"\n{network}: full model {tell(full_model(table))}\n")
    print("| layer | re-randomized | re-initialized to 0 |\n|---|---:|---:|")
    for unit in network.units:
        print(f"| {unit} | {tell(table.loc[(unit, 'rerand')])} | {tell(table.loc[(unit, '0')])} |")


def widths(results: Path, dataset: str) -> None:
    print(f"\n{dataset}: full model, and one layer but the first re-initialized to 0 (mean)\n")
    print("| width | 3 layers: full | reset | 5 layers: full | reset |\n|---:|---:|---:|---:|---:|")
    for width in WIDTHS:
        row = [str(width)]
        for depth in (3, 5):
            network = Network(dataset, f"fcn{depth}x{width}")
            frame = read(results, network, "probe.csv")
            row += [tell(per_seed.agg(["mean", "std"])) for per_seed in bar_errors(frame, network)]
        print(f"| {' | '.join(row)} |")


def stages_of_vggs(results: Path, source: str) -> None:
    """Mean error over the convolutions of each stage."""
    tables = {name: errors(results, Network("cifar10", name))["mean"] for name in VGGS}
    print(f"\nCIFAR10, one layer reset to {source}: mean over the convolutions of a stage\n")
    print(f"| | {' | '.join(VGGS)} |\n|---|{'---:|' * len(VGGS)}")
    for part in (*(f"stage{number}" for number in range(1, 6)), "fc1", "fc2", "final_linear"):
        row = []
        for table in tables.values():
            of_source = table.xs(source, level="source")
            row.append(f"{of_source[of_source.index.str.startswith(part)].mean():.3f}")
        print(f"| {part} | {' | '.join(row)} |")
    print(f"| full model | {' | '.join(f'{full_of(t):.3f}' for t in tables.values())} |")


def full_of(means: pd.Series) -> float:
    return means.loc["fullmodel"].iloc[-1]


def blocks_of_resnets(results: Path, dataset: str, source: str) -> None:
    print(f"\n{dataset}, one unit reset to {source}\n")
    print(
        "| network | full | stage0 | downsampling blocks: lowest, mean "
        "| identity blocks: mean, highest | final_linear |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    for name in RESNETS:
        network = Network(dataset, name)
        table = errors(results, network)["mean"]
        reset = table.xs(source, level="source")
        first, identity = reset[[*downsampling(network)]], reset[[*identity_skips(network)]]
        print(
            f"| {name} | {full_of(table):.3f} | {reset['stage0']:.3f} "
            f"| {first.min():.3f}, {first.mean():.3f} | {identity.mean():.3f}, "
            f"{identity.max():.3f} | {reset['final_linear']:.3f} |"
        )


def joint(results: Path, network: Network) -> None:
    single, together = errors(results, network), errors(results, network, "joint.csv")
    print(f"\n{network}: units re-initialized to 0; full model {tell(full_model(single))}\n")
    print("| group | units | worst of them alone | all of them jointly |\n|---|---:|---:|---:|")
    for group in together.index.unique("unit"):
        if not group.startswith("not "):
            units = members(network, group)
            alone = single.loc[[(unit, "0") for unit in units]]
            worst = alone.loc[alone["mean"].idxmax()]
            print(
                f"| {group} | {len(units)} | {tell(worst)} | {tell(together.loc[(group, '0')])} |"
            )


def frozen_and_removed(results: Path) -> None:
    print("\nAll blocks but the first of each stage, CIFAR10\n")
    print(
        "| network | full | re-initialized jointly | frozen | removed |\n|---|---:|---:|---:|---:|"
    )
    for name in ("resnet50", "resnet101", "resnet152"):
        network = Network("cifar10", name)
        jointly = errors(results, network, "joint.csv").loc[("all_but_first", "0")]
        trained = [network.model, f"{name}+frozen", "resnet50+removed"]
        final = [
            read(results, Network("cifar10", model), "training.csv")["test_error"].iloc[-1]
            for model in trained
        ]
        print(f"| {name} | {final[0]:.3f} | {tell(jointly)} | {final[1]:.3f} | {final[2]:.3f} |")


def main() -> None:
    results = Path(sys.argv[1])

    def there(dataset: str, names, file: str = "probe.csv") -> bool:
        return all(has(results, Network(dataset, name), file) for name in names)

    print("\n## Claims 1 and 2")
    for name in ("mnist/fcn3x256", "mnist/fcn5x256"):
        if has(results, parse_network(name), "probe.csv"):
            single_layers(results, parse_network(name))
    print("\n## Claim 3")
    for dataset in ("mnist", "cifar10"):
        if there(dataset, [f"fcn{depth}x{width}" for depth in (3, 5) for width in WIDTHS]):
            widths(results, dataset)
    if there("cifar10", VGGS):
        print("\n## Claims 1 and 4: VGG")
        stages_of_vggs(results, "rerand")
        stages_of_vggs(results, "0")
    print("\n## Claims 5 and 6: ResNet")
    for dataset in ("cifar10", "imagenet"):
        if there(dataset, RESNETS):
            for source in ("rerand", "0"):
                blocks_of_resnets(results, dataset, source)
    print("\n## Claim 7")
    for name in ("mnist/fcn5x256", *(f"cifar10/{name}" for name in RESNETS)):
        if all(has(results, parse_network(name), file) for file in ("probe.csv", "joint.csv")):
            joint(results, parse_network(name))
    if there("cifar10", ["resnet152+frozen", "resnet50+removed"], "training.csv"):
        print("\n## Claim 8")
        frozen_and_removed(results)


if __name__ == "__main__":
    main()

"""How results are listed in Snakemake's report: by labels from the registries."""

from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources, data_label, printed
from layer_robustness.tables.registry import Table

KINDS = {"fcn": "FCN ", "vgg": "VGG", "resnet": "ResNet"}
NAMED = 4  # architectures; of more than these, or of several kinds, the kinds are named


def labels(
    target: Figure | Table, preset: str, sources: Sources, shown: str = "ours"
) -> dict[str, str]:
    """Return the labels of one file, first what it is listed by.

    The report sorts by text and hides files that have all labels in common. It turns one label
    other than the first into a toggle where that has two values, each of half the files it lists:
    `shown`, where each figure comes alone and with the paper's.
    """
    kind = "Figure" if isinstance(target, Figure) else "Table"
    names = dict.fromkeys(network.dataset for network in target.networks)
    datasets = [data_label(name, sources[name]) for name in names]
    return {
        # A second space is not displayed, and sorts 9 before 10.
        "figure": f"{kind} {target.number:>2}",
        "data set": ", ".join(datasets),
        "architecture": architectures(target),
        "preset": preset,
        "shown": shown,
    }


def architectures(target: Figure | Table) -> str:
    """Name the architectures of a figure or table briefly: "ResNet50, 101, 152", "VGG, ResNet"."""
    kinds = list(dict.fromkeys(KINDS[network.kind] for network in target.networks))
    names = list(dict.fromkeys(printed(network.architecture) for network in target.networks))
    if len(kinds) != 1 or len(names) > NAMED:
        return ", ".join(kind.strip() for kind in kinds)
    return kinds[0] + ", ".join(name.removeprefix(kinds[0]) for name in names)

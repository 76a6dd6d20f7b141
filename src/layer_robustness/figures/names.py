"""How the paper writes the names of data sets, architectures and quantities."""

import re
from collections.abc import Mapping, Sequence

import pandas as pd

from layer_robustness.experiments.names import Network

# Of a network whose loss was no longer finite.
DID_NOT_TRAIN = "did not train"
NOT_RUN = "not run"

DATASETS = {"mnist": "MNIST", "cifar10": "CIFAR10", "imagenet": "ImageNet"}
# Images that may stand in for a data set's own.
IMAGES = {**DATASETS, "digits5k": "digits", "fashion_mnist": "Fashion-MNIST"}
# The source of each data set, where none is the paper's own.
Sources = Mapping[str, str]

QUANTITIES = {
    "test_error": "Test error",
    "dist_l2": "Normalized 2-norm distance",
    "dist_linf": "Infinity-norm distance",
}
# What these are: see probing/distances.py.
DISTANCES = (
    "The distances are what the paper's panels plot, judging by their values, and not quite the "
    "norms that they are named after: the squared 2-norm of a layer's change, divided by the "
    "square root of its number of parameters; and the largest change within each of its tensors, "
    "summed over the tensors."
)


def printed(model: str) -> str:
    """Write a model's name as the paper does: `resnet50+wd` is ResNet50 +wd."""
    architecture, plus, variant = model.partition("+")
    name = architecture.replace("resnet", "ResNet").replace("vgg", "VGG").replace("fcn", "FCN ")
    return f"{name} {plus}{variant}".rstrip()


def data_label(dataset: str, source: str) -> str:
    """Name a data set, and the images that stand in for its own: "CIFAR10 (digits)"."""
    images = stand_in(dataset, source)
    return f"{DATASETS[dataset]} ({images})" if images else DATASETS[dataset]


def stand_in(dataset: str, source: str) -> str:
    """Name the images that stand in for a data set's own; empty where these are used."""
    if not source or source == dataset:
        return ""
    images = source.removesuffix(f"_as_{dataset}")
    return IMAGES.get(images, images)


def labelled(text: str, sources: Sources) -> str:
    """Give each data set that a text names its label."""
    labels = {
        name: data_label(dataset, sources.get(dataset, "")) for dataset, name in DATASETS.items()
    }
    # All at once: one label may hold another data set's name.
    return re.sub("|".join(labels), lambda found: labels[found[0]], text)


def did_not_train(absent: int, seeds: int) -> str:
    """Say how many seeds are not in a mean over so many others."""
    return f"{absent} of {absent + seeds} seeds {DID_NOT_TRAIN}"


def left_out(cells: pd.DataFrame) -> list[str]:
    """Say how many seeds are not in the means of some cells; nothing of cells without a mean."""
    counts = cells[["did_not_train", "seeds"]].drop_duplicates().to_numpy()
    return [did_not_train(absent, seeds) for absent, seeds in counts if absent and seeds]


def not_run(networks: Sequence[Network]) -> str:
    """Say which networks a panel would show."""
    first, last = networks[0], networks[-1]
    return f"{NOT_RUN}: {first}" if first == last else f"{NOT_RUN}: {first} … {last}"

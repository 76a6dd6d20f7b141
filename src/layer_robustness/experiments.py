"""Names of experiments: `mnist/fcn3x256/seed0` is data set, model and seed, and its path too."""

import re
from dataclasses import dataclass

from layer_robustness.errors import InputError

DATASETS = ("mnist", "cifar10", "imagenet")
VARIANTS = ("", "wd")  # wd: with weight decay
FCN = re.compile(r"fcn([1-9]\d*)x([1-9]\d*)")


@dataclass(frozen=True, order=True)
class Network:
    """A data set and an architecture, as in `mnist/fcn3x256`."""

    dataset: str
    model: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.model}"

    @property
    def architecture(self) -> str:
        """The model without its variant: `resnet50` of `resnet50+wd+bn`."""
        return self.model.partition("+")[0]

    @property
    def variant(self) -> str:
        """What follows the architecture: `wd+bn` of `resnet50+wd+bn`, or nothing."""
        return self.model.partition("+")[2]

    @property
    def fcn_shape(self) -> tuple[int, int]:
        """Number of hidden layers and their width."""
        depth, width = FCN.fullmatch(self.architecture).groups()
        return int(depth), int(width)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the units, first to last."""
        depth, _ = self.fcn_shape
        return tuple(f"layer{number}" for number in range(1, depth + 2))

    def seed(self, seed: int) -> "Experiment":
        """Return the experiment with this seed."""
        return Experiment(self, seed)


@dataclass(frozen=True, order=True)
class Experiment:
    """One training run: a network and a seed, as in `mnist/fcn3x256/seed0`."""

    network: Network
    seed: int

    def __str__(self) -> str:
        return f"{self.network}/seed{self.seed}"


def parse_network(name: str) -> Network:
    """Read a network's name.

    Raises
    ------
    InputError
        If the data set or the architecture is unknown.
    """
    dataset, _, model = name.partition("/")
    if dataset not in DATASETS:
        raise InputError(
            f"{name!r}: data set {dataset!r} is unknown; allowed: {', '.join(DATASETS)}"
        )
    network = Network(dataset, model)
    if not FCN.fullmatch(network.architecture):
        raise InputError(
            f"{name!r}: architecture {model!r} is unknown; allowed: fcnDxH, D hidden layers of "
            "H units, such as fcn3x256"
        )
    if network.variant not in VARIANTS or model.endswith("+"):
        raise InputError(f"{name!r}: variant {network.variant!r} is unknown; allowed: +wd or none")
    return network


def parse_experiment(name: str) -> Experiment:
    """Read an experiment's name; raises `InputError` as `parse_network` does."""
    network, _, seed = name.rpartition("/")
    if not re.fullmatch(r"seed\d+", seed):
        raise InputError(f"{name!r} names no seed; expected a name such as mnist/fcn3x256/seed0")
    return Experiment(parse_network(network), int(seed.removeprefix("seed")))

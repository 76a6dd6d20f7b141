"""Names of experiments: `cifar10/vgg16+wd/seed0` is data set, model and seed, and its path too.

Networks beyond the paper are called `beyond/NAME`, by their entries in the config.
"""

import re
from dataclasses import dataclass

from layer_robustness.experiments import architectures
from layer_robustness.runtime.errors import InputError

DATASETS = ("mnist", "cifar10", "imagenet")
# In place of a data set: networks that are not the paper's.
BEYOND = "beyond"
# What entries may be called: their names are names of files too.
ENTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
# wd: with weight decay; bn: with batch normalization
OF_CONVOLUTIONS = ("", "wd", "bn", "wd+bn")
VARIANTS = {"fcn": ("", "wd"), "vgg": OF_CONVOLUTIONS, "resnet": OF_CONVOLUTIONS}
# Of all residual blocks but the first of each stage (Table 1). frozen: they keep their initial
# values while the others are trained; removed: they are not there.
TREATMENTS = ("frozen", "removed")


@dataclass(frozen=True, order=True)
class Network:
    """A data set and an architecture, as in `mnist/fcn3x256`."""

    dataset: str
    model: str

    def __str__(self) -> str:
        return f"{self.dataset}/{self.model}"

    @property
    def architecture(self) -> str:
        """The model without variant and treatment: `resnet50` of `resnet50+wd+bn`."""
        return self.model.partition("+")[0]

    @property
    def kind(self) -> str:
        """`fcn`, `vgg` or `resnet`; `own` for a network beyond the paper."""
        if self.dataset == BEYOND:
            return "own"
        return architectures.kind_of(self.architecture)

    @property
    def variant(self) -> str:
        """`wd+bn` of `resnet50+wd+bn`, or nothing."""
        return "+".join(tag for tag in self.model.split("+")[1:] if tag not in TREATMENTS)

    @property
    def treatment(self) -> str:
        """`frozen` of `resnet50+frozen`, or nothing."""
        last = self.model.rpartition("+")[2]
        return last if last in TREATMENTS else ""

    @property
    def fcn_shape(self) -> tuple[int, int]:
        """Number of hidden layers and their width."""
        return architectures.fcn_shape(self.architecture)

    @property
    def units(self) -> tuple[str, ...]:
        """Names of the paper's units, first to last; those of other networks only torch knows."""
        return architectures.unit_names(self.architecture, self.treatment == "removed")

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

    Raises `InputError` if the data set, the architecture, the variant or the treatment is unknown.
    """
    dataset, _, model = name.partition("/")
    network = Network(dataset, model)
    if dataset == BEYOND and ENTRY.fullmatch(model):
        return network
    if dataset not in DATASETS:
        raise InputError(
            f"{name!r}: data set {dataset!r} is unknown; allowed: {', '.join(DATASETS)}"
        )
    try:
        kind = network.kind
    except InputError as error:
        raise InputError(f"{name!r}: {error}") from None
    endings = [f"+{variant}" if variant else "" for variant in VARIANTS[kind]]
    if kind == "resnet":
        endings += [f"{e}+{treatment}" for e in endings for treatment in TREATMENTS]
    if model.removeprefix(network.architecture) not in endings:
        raise InputError(
            f"{name!r}: variant {model.partition('+')[2]!r} is unknown; allowed for "
            f"{network.architecture}: {', '.join(filter(None, endings))} or none"
        )
    return network


def parse_experiment(name: str) -> Experiment:
    """Read an experiment's name; raises `InputError` as `parse_network` does."""
    network, _, seed = name.rpartition("/")
    if not re.fullmatch(r"seed\d+", seed):
        raise InputError(f"{name!r} names no seed; allowed: a name such as mnist/fcn3x256/seed0")
    return Experiment(parse_network(network), int(seed.removeprefix("seed")))

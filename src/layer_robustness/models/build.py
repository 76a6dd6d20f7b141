"""From an experiment's name to its network."""

import torch

from layer_robustness.experiments import Experiment, Network
from layer_robustness.models.fcn import fcn
from layer_robustness.models.initialization import LAWS, initialize
from layer_robustness.models.sequence import UnitSequence
from layer_robustness.seeding import generator

PRECISIONS = {"float32": torch.float32, "float64": torch.float64}


def build(network: Network, image_shape: tuple[int, int, int], classes: int) -> UnitSequence:
    """Build a network by name; its weights are yet to be drawn or loaded."""
    return fcn(*network.fcn_shape, image_shape, classes)


def draw(
    experiment: Experiment,
    law: str,
    image_shape: tuple[int, int, int],
    classes: int,
    purpose: str = "initial",
) -> UnitSequence:
    """Build a network and draw its weights.

    `purpose` is "initial" for epoch 0 and "rerand0", "rerand1", ... for the fresh draws. The
    weights depend on the experiment's name, the law and the purpose only.
    """
    network = build(experiment.network, image_shape, classes)
    initialize(network, LAWS[law], generator(experiment, purpose))
    return network

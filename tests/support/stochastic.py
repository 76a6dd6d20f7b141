"""A small stochastic classifier, and settings of a short attack."""

import torch

from layer_robustness.attacks.accuracy import Settings
from layer_robustness.attacks.stochastic import StochasticClassifier
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw
from layer_robustness.models.units import residual_blocks
from layer_robustness.runtime.seeding import generator

SHAPE, MEAN, STD = (1, 8, 8), 0.3, 0.4
SETTINGS = Settings(
    test_examples=20,
    repetitions=2,
    batch_size=100,
    choice="example",
    attack_choice="fresh",
    eps=8,
    step=2,
    steps=3,
    start="random",
    eot_draws=5,
)


def classifier(name="cifar10/resnet4^2", draws=2, replaced=1) -> StochasticClassifier:
    """Networks of unequal batch normalizations too, all in float64."""
    experiment = parse_experiment(f"{name}/seed0")
    networks = [
        draw(experiment, "he_normal", SHAPE, 10, 0.125, purpose).double()
        for purpose in ("initial", *(f"rerand{number}" for number in range(draws)))
    ]
    for number, network in enumerate(networks):
        network.train()(torch.rand(16, *SHAPE, generator=generator(number)).double())
    blocks = list(residual_blocks(experiment.network).values())
    return StochasticClassifier(networks[0], networks[1:], blocks, replaced, MEAN, STD)

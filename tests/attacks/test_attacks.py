"""Attacks against Foolbox's."""

from functools import partial

import foolbox
import pytest
import torch
from foolbox.attacks import LinfFastGradientAttack, LinfProjectedGradientDescentAttack
from torch import nn

from layer_robustness.attacks.attacks import fgsm, mean_gradient, pgd, random_start
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw
from layer_robustness.runtime.seeding import generator

EPS, STEP, STEPS = 8 / 255, 2 / 255, 20
SHAPE = (3, 8, 8)
PGD = partial(LinfProjectedGradientDescentAttack, abs_stepsize=STEP, steps=STEPS)
FOOLBOXS = {
    "fgsm": LinfFastGradientAttack(random_start=False),
    "pgd": PGD(random_start=False),
    "pgd from a random start": PGD(random_start=True),
}


@pytest.mark.parametrize("name", FOOLBOXS)
def test_an_attack_is_foolboxs(name):
    """Some pixels are so near the ends of [0, 1] that eps leads out."""
    experiment, random = parse_experiment("cifar10/resnet4^2/seed0"), generator("images")
    network = draw(experiment, "he_normal", SHAPE, 10, 0.125).double().requires_grad_(False).eval()
    pixels = torch.rand(12, *SHAPE, generator=random, dtype=torch.float64)
    pixels = (1.2 * pixels - 0.1).clamp(0, 1)
    labels = torch.randint(10, (12,), generator=random)

    def gradient(at):
        return mean_gradient([network], at, labels)

    if name == "fgsm":
        ours = fgsm(gradient, pixels, EPS)
    else:
        drawn = random_start(pixels, EPS, torch.Generator().manual_seed(3))
        ours = pgd(gradient, pixels, drawn if "random" in name else pixels, EPS, STEP, STEPS)
    torch.manual_seed(3)
    model = foolbox.PyTorchModel(network, bounds=(0, 1))
    theirs, _, _ = FOOLBOXS[name](model, pixels, labels, epsilons=EPS)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    before, after = (nn.functional.cross_entropy(network(each), labels) for each in (pixels, ours))
    assert after > before + 0.1

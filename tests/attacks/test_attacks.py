"""Attacks on models whose worst case is known, and against Foolbox."""

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


def gradient_of(model, labels):
    return lambda pixels: mean_gradient([model], pixels, labels)


def attack(name: str, gradient, pixels, seed: int = 0):
    """One of the attacks by its name, a random start drawn as `torch.manual_seed(seed)` does."""
    if name == "fgsm":
        return fgsm(gradient, pixels, EPS)
    start = pixels
    if name == "pgd from a random start":
        start = random_start(pixels, EPS, torch.Generator().manual_seed(seed))
    return pgd(gradient, pixels, start, EPS, STEP, STEPS)


ATTACKS = {
    "fgsm": LinfFastGradientAttack(random_start=False),
    "pgd": LinfProjectedGradientDescentAttack(abs_stepsize=STEP, steps=STEPS, random_start=False),
    "pgd from a random start": LinfProjectedGradientDescentAttack(
        abs_stepsize=STEP, steps=STEPS, random_start=True
    ),
}


@pytest.fixture(scope="module")
def images():
    """Pixels in [0, 1], some of them so near the ends that eps leads out; and labels."""
    random = generator("images")
    pixels = torch.rand(12, *SHAPE, generator=random, dtype=torch.float64)
    pixels = (1.2 * pixels - 0.1).clamp(0, 1)
    return pixels, torch.randint(2, (12,), generator=random)


@pytest.mark.parametrize("name", ATTACKS)
def test_a_linear_classifier_meets_its_worst_case(name, images):
    """The logit margin is linear in each pixel, so its minimum in the box is known."""
    pixels, labels = images
    weights = torch.randn(pixels[0].numel(), generator=generator("weights"), dtype=torch.float64)

    def model(inputs):
        margin = inputs.flatten(1) @ weights
        return torch.stack([torch.zeros_like(margin), margin], 1)

    attacked = attack(name, gradient_of(model, labels), pixels)
    towards = (1 - 2 * labels).double().unsqueeze(1) * weights.sign()  # of the wrong class
    flat = pixels.flatten(1)
    corner = torch.where(towards > 0, (flat + EPS).clamp(max=1), (flat - EPS).clamp(min=0))
    worst = (1 - 2 * labels) * (corner @ weights)
    reached = nn.functional.cross_entropy(model(attacked), labels, reduction="none")
    torch.testing.assert_close(reached, nn.functional.softplus(worst))


@pytest.fixture(scope="module")
def network():
    experiment = parse_experiment("cifar10/resnet4^2/seed0")
    return draw(experiment, "he_normal", SHAPE, 10, 0.125).double().requires_grad_(False)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_foolboxs(name, images, network):
    pixels, labels = images
    ours = attack(name, gradient_of(network, labels), pixels, seed=3)
    model = foolbox.PyTorchModel(network.eval(), bounds=(0, 1))
    torch.manual_seed(3)
    theirs, _, _ = ATTACKS[name](model, pixels, labels, epsilons=EPS)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-14)
    before, after = (nn.functional.cross_entropy(network(each), labels) for each in (pixels, ours))
    assert after > before + 0.1

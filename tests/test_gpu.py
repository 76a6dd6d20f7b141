"""The same results on a GPU, up to rounding; skipped where there is none."""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch

from layer_robustness.adversarial import Trial
from layer_robustness.models.sequence import UnitSequence
from layer_robustness.probe import Reset, probe
from layer_robustness.seeding import generator
from test_stochastic import SETTINGS, SHAPE, classifier
from test_training import NETWORK, trained

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def test_seeds_stacked_on_a_gpu_train_as_each_does_on_a_cpu(few_digits, recipe):
    recipe = replace(recipe, precision="float64")
    experiments = [NETWORK.seed(seed) for seed in range(3)]
    _, on_gpu = trained(experiments, recipe, few_digits.to(torch.device("cuda")))
    for experiment, state in zip(experiments, on_gpu, strict=True):
        _, (alone,) = trained([experiment], recipe, few_digits)
        for name, tensor in alone.weights.items():
            torch.testing.assert_close(state.weights[name].cpu(), tensor, rtol=1e-8, atol=1e-10)


def test_a_joined_probe_on_a_gpu_predicts_as_on_a_cpu(few_digits):
    torch.manual_seed(0)
    layers = {f"layer{n}": torch.nn.Linear(10, 10) for n in range(3)}
    layers = {"flatten": torch.nn.Flatten(), "layer": torch.nn.Linear(784, 10), **layers}
    network = UnitSequence(OrderedDict(layers))
    network.double()
    state = {name: torch.randn_like(tensor) for name, tensor in network.state_dict().items()}
    units = network.unit_names[1:]
    images = few_digits.normalize(few_digits.test_images, torch.float64)
    outcomes = []
    for device in ("cpu", "cuda"):
        network.to(device)
        moved = {name: tensor.to(device) for name, tensor in state.items()}
        resets = [Reset(frozenset(units[start:]), moved) for start in range(4)] * 2
        labels = few_digits.test_labels.to(device)
        outcomes.append(probe(network, resets, images.to(device), labels, 64, joined=3))
    assert torch.equal(outcomes[0].predictions, outcomes[1].predictions)
    torch.testing.assert_close(outcomes[0].losses, outcomes[1].losses)


@pytest.mark.parametrize("attack", ["fgsm", "pgd_eot"])
def test_an_attack_on_a_gpu_sees_the_same_choices_as_on_a_cpu(attack):
    images = torch.rand(24, *SHAPE, generator=generator("images"), dtype=torch.float64)
    labels = torch.arange(24) % 10
    attacked = []
    for device in ("cpu", "cuda"):
        random_one = classifier()
        for network in random_one.networks:
            network.to(device)
        trial = Trial(random_one, SETTINGS, generator("attack"))
        attacked.append(trial.attacked(attack, images.to(device), labels.to(device)).cpu())
    # Where a gradient is zero up to rounding, its sign may differ.
    assert (attacked[0] - attacked[1]).abs().gt(1e-10).double().mean() < 1e-3

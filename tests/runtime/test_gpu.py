"""The same results on a GPU, up to rounding; skipped where there is none.

What needs no backward pass is tested on any machine, on a simulated GPU.
"""

from collections import OrderedDict
from dataclasses import replace

import pytest
import torch

from layer_robustness.attacks.accuracy import Trial
from layer_robustness.data.dataset import from_splits
from layer_robustness.experiments.names import parse_network
from layer_robustness.models.sequence import UnitSequence
from layer_robustness.probing.engine import Reset, probe
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.seeding import generator
from support.stochastic import SETTINGS, SHAPE, classifier
from support.training import NETWORK, trained

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def test_seeds_stacked_on_a_gpu_train_as_each_does_on_a_cpu(few_digits, recipe):
    recipe = replace(recipe, precision="float64")
    experiments = [NETWORK.seed(seed) for seed in range(3)]
    _, on_gpu = trained(experiments, recipe, few_digits.to(torch.device("cuda")))
    for experiment, state in zip(experiments, on_gpu, strict=True):
        _, (alone,) = trained([experiment], recipe, few_digits)
        for name, tensor in alone.weights.items():
            torch.testing.assert_close(state.weights[name].cpu(), tensor, rtol=1e-8, atol=1e-10)


def test_large_images_train_in_channels_last_as_contiguous_ones_on_a_cpu(few_digits, recipe):
    """Where a CPU crashes in channels_last; see `memory_format`."""
    pixels = torch.nn.functional.pad(few_digits.train_images, (26,) * 4)
    large = from_splits("large", *[(pixels[::5], few_digits.train_labels[::5])] * 2)
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1), precision="float64", width=0.125)
    recipe = replace(recipe, initial_law="lecun_normal", learning_rate=0.01)
    experiments = [parse_network("mnist/resnet18+bn").seed(0)]
    (on_cpu, on_gpu) = (
        trained(experiments, recipe, large.to(torch.device(device)))[1][0].weights
        for device in ("cpu", "cuda")
    )
    convolution = on_gpu["stage2.resblk1.conv1.weight"]
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    for name, tensor in on_cpu.items():
        torch.testing.assert_close(on_gpu[name].cpu(), tensor, rtol=1e-6, atol=1e-8)


def test_memory_that_really_runs_out_is_one_line():
    told = r"the GPU's memory ran out \(tried to allocate .*\): lower training.batch_size$"
    with pytest.raises(InputError, match=told), bounded_by("training.batch_size"):
        torch.empty(2**48, dtype=torch.uint8, device="cuda")


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

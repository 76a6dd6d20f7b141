"""The same results on a GPU, up to rounding; skipped where there is none.

What needs no backward pass is tested on any machine, on a simulated GPU.
"""

from dataclasses import replace

import pytest
import torch

from layer_robustness.attacks.accuracy import Trial
from layer_robustness.data.dataset import from_splits
from layer_robustness.experiments.names import parse_network
from layer_robustness.probing.measures import MEASURES, Tally
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.seeding import generator
from support.networks import engine_of
from support.stochastic import SETTINGS, SHAPE, classifier
from support.training import trained

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")


def test_large_images_train_in_channels_last_as_contiguous_ones_on_a_cpu(few_digits, recipe):
    """Where a CPU crashes in channels_last; see `memory_format`."""
    pixels = torch.nn.functional.pad(few_digits.train_images, (26,) * 4)
    large = from_splits("large", *[(pixels[::5], few_digits.train_labels[::5])] * 2)
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1), precision="float64", width=0.125)
    recipe = replace(recipe, initial_law="lecun_normal", learning_rate=0.01)
    experiment = parse_network("mnist/resnet18+bn").seed(0)
    (on_cpu, on_gpu) = (
        trained(experiment, recipe, large.to(torch.device(device))).weights
        for device in ("cpu", "cuda")
    )
    convolution = on_gpu["stages.1.blocks.0.conv1.weight"]
    assert convolution.is_contiguous(memory_format=torch.channels_last)
    for name, tensor in on_cpu.items():
        torch.testing.assert_close(on_gpu[name].cpu(), tensor, rtol=1e-6, atol=1e-8)


def test_memory_that_really_runs_out_is_one_line():
    told = r"the GPU's memory ran out \(tried to allocate .*\): lower training.batch_size$"
    with pytest.raises(InputError, match=told), bounded_by("training.batch_size"):
        torch.empty(2**48, dtype=torch.uint8, device="cuda")


def test_a_joined_probe_on_a_gpu_predicts_as_on_a_cpu(few_digits):
    network = parse_network("mnist/resnet18+bn")
    images = few_digits.normalize(few_digits.test_images, torch.float64)
    tallies = []
    for device in ("cpu", "cuda"):
        engine = engine_of(network, images[:64], joined=3 if device == "cuda" else 1, device=device)
        engine.begin(images[:4].to(device), 10**9)
        assert all(reset.joins for reset in engine.resets)
        tallies.append(Tally(len(engine.resets), MEASURES))
        tallies[-1].add(engine.logits(images.to(device)), few_digits.test_labels.to(device))
    assert torch.equal(tallies[0].missed, tallies[1].missed)
    for name, sums in tallies[0].sums.items():
        torch.testing.assert_close(sums, tallies[1].sums[name])


@pytest.mark.parametrize("attack", ["fgsm", "pgd_eot"])
def test_an_attack_on_a_gpu_sees_the_same_choices_as_on_a_cpu(attack):
    images = torch.rand(24, *SHAPE, generator=generator("images"), dtype=torch.float64)
    labels = torch.arange(24) % 10
    attacked = []
    for device in ("cpu", "cuda"):
        random_one = classifier()
        random_one.network.to(device)
        trial = Trial(random_one, SETTINGS, generator("attack"))
        attacked.append(trial.attacked(attack, images.to(device), labels.to(device)).cpu())
    # Where a gradient is zero up to rounding, its sign may differ.
    assert (attacked[0] - attacked[1]).abs().gt(1e-10).double().mean() < 1e-3

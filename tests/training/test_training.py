"""The training loop against its definition, and each training against others that must equal it."""

import json
import subprocess
from dataclasses import replace

import pytest
import torch
from torch import nn

from layer_robustness.data import dataset as data
from layer_robustness.experiments.groups import frozen_units
from layer_robustness.experiments.names import parse_network
from layer_robustness.models.build import build, draw
from layer_robustness.models.units import state_of, unit_modules
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.ranks import Ranks
from layer_robustness.runtime.seeding import generator
from layer_robustness.storage import tensorfile
from layer_robustness.training.ensemble import Single
from layer_robustness.training.loop import train
from support.checkout import ENVIRONMENT
from support.training import NETWORK, finished, history, start, train_command, trained


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def sgd(p, grad, memory, rate, decay):
    memory["velocity"] = 0.9 * memory.get("velocity", 0) + grad + decay * p
    return p - rate * memory["velocity"]


def adamw(p, grad, memory, rate, decay):
    """As published, with PyTorch's constants."""
    step = memory["step"] = memory.get("step", 0) + 1
    memory["mean"] = 0.9 * memory.get("mean", 0) + 0.1 * grad
    memory["square"] = 0.999 * memory.get("square", 0) + 0.001 * grad**2
    mean, square = memory["mean"] / (1 - 0.9**step), memory["square"] / (1 - 0.999**step)
    return p - rate * (mean / (square.sqrt() + 1e-8) + decay * p)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
@pytest.mark.parametrize(("step", "warmup"), [(sgd, 0), (adamw, 3)])
def test_training_is_the_recipe_written_out(few_digits, recipe, step, warmup, weight_decay):
    """A loop of plain arithmetic, in float64, is the oracle."""
    recipe = replace(recipe, precision="float64", weight_decay=weight_decay)
    recipe = replace(recipe, optimizer=step.__name__, warmup=warmup)
    experiment = NETWORK.seed(0)
    network = draw(experiment, recipe.initial_law, (1, 28, 28), 10).double()
    memory = {name: {} for name, _ in network.named_parameters()}
    pixels = few_digits.train_images.double() / 255
    inputs = (pixels - pixels.mean()) / pixels.std(correction=0)
    steps = 0
    for epoch in range(1, 5):
        rate = 0.05 if epoch <= 2 else 0.01
        order = torch.randperm(320, generator=generator(experiment, "order", epoch))
        for batch in order.split(64):
            loss = nn.functional.cross_entropy(
                network(inputs[batch]), few_digits.train_labels[batch]
            )
            network.zero_grad()
            loss.backward()
            steps += 1
            warmed = rate * min(1, steps / (5 * warmup)) if warmup else rate
            with torch.no_grad():
                for name, p in network.named_parameters():
                    p.copy_(step(p, p.grad, memory[name], warmed, weight_decay))
    _, (state,) = trained([experiment], recipe, few_digits)
    for name, p in network.named_parameters():
        torch.testing.assert_close(state.weights[name], p, rtol=1e-8, atol=1e-10)


def test_the_history_says_what_happened(few_digits, recipe):
    _, (state,) = trained([NETWORK.seed(0)], recipe, few_digits)
    assert [row["epoch"] for row in state.history] == [1, 2, 3, 4]
    assert [row["rate"] for row in state.history] == pytest.approx([0.05, 0.05, 0.01, 0.01])
    network = draw(NETWORK.seed(0), recipe.initial_law, (1, 28, 28), 10)
    network.load_state_dict(state.weights)
    predictions = network(few_digits.normalize(few_digits.test_images)).argmax(1)
    error = float((predictions != few_digits.test_labels).double().mean())
    assert state.history[-1]["test_error"] == pytest.approx(error)
    assert state.history[-1]["train_loss"] < state.history[0]["train_loss"]
    assert error < 0.8  # chance is 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_a_stacked_member_trains_as_it_does_alone(few_digits, recipe, optimizer):
    recipe = replace(recipe, precision="float64", optimizer=optimizer)
    experiments = [NETWORK.seed(seed) for seed in range(3)]
    stacked, states = trained(experiments, recipe, few_digits)
    for experiment, state in zip(experiments, states, strict=True):
        alone, (single,) = trained([experiment], recipe, few_digits)
        for epoch in range(4):
            for part in range(2):
                torch.testing.assert_close(
                    stacked[experiment][epoch][part],
                    alone[experiment][epoch][part],
                    rtol=1e-9,
                    atol=1e-12,
                )
        assert [row["test_error"] for row in state.history] == [
            row["test_error"] for row in single.history
        ]


def test_a_stack_goes_on_without_the_member_that_diverges(few_digits, recipe):
    recipe = replace(recipe, precision="float64")
    experiments = [NETWORK.seed(seed) for seed in range(3)]
    states = [start(experiment, recipe, few_digits) for experiment in experiments]
    states[1].weights = {name: 1e200 * tensor for name, tensor in states[1].weights.items()}
    kept = []
    train(experiments, states, recipe, few_digits, lambda experiment, _: kept.append(experiment))
    assert [state.diverged for state in states] == [False, True, False]
    assert [kept.count(experiment) for experiment in experiments] == [4, 1, 4]
    for number in (0, 2):
        _, (alone,) = trained([experiments[number]], recipe, few_digits)
        torch.testing.assert_close(states[number].weights, alone.weights, rtol=1e-9, atol=1e-12)


@pytest.fixture
def deep_recipe(recipe):
    """For networks of an eighth of their width, on 28x28 digits."""
    return replace(
        recipe,
        epochs=2,
        checkpoints=(0, 2),
        initial_law="lecun_normal",
        learning_rate=0.02,
        width=0.125,
        augmentation="pad_crop_flip",
    )


def test_frozen_units_keep_their_initial_values(few_digits, deep_recipe):
    """Neither steps, momentum, weight decay nor running statistics touch them."""
    recipe = replace(deep_recipe, weight_decay=0.01)
    experiment = parse_network("mnist/resnet18+wd+bn+frozen").seed(0)
    initial = start(experiment, recipe, few_digits).weights
    before = {name: tensor.clone() for name, tensor in initial.items()}
    _, (state,) = trained([experiment], recipe, few_digits)
    frozen = frozen_units(experiment.network)
    assert len(frozen) == 4
    for unit, modules in unit_modules(experiment.network).items():
        kept = equal(state_of(modules, before), state_of(modules, state.weights))
        assert kept == (unit in frozen), unit
        assert bool(state_of(modules, state.optimizer)) != kept


def test_the_precision_is_that_of_the_arithmetic(few_digits, deep_recipe):
    """On a CPU tf32 is float32; bf16 rounds, and leaves the weights in float32."""
    experiment = parse_network("mnist/resnet18").seed(0)
    states = {}
    for precision in ("float32", "tf32", "bf16"):
        recipe = replace(deep_recipe, epochs=1, checkpoints=(0, 1), precision=precision)
        _, (states[precision],) = trained([experiment], recipe, few_digits)
    assert equal(states["tf32"].weights, states["float32"].weights)
    assert not equal(states["bf16"].weights, states["float32"].weights)
    assert {tensor.dtype for tensor in states["bf16"].weights.values()} == {torch.float32}
    losses = [states[name].history[0]["train_loss"] for name in ("bf16", "float32")]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize("seeds", [1, 3], ids=["alone", "stacked"])
def test_every_precision_learns(few_digits, recipe, seeds):
    """Small steps, many of them: the loss falls from 2.3 to 0.4, and rounding changes little."""
    recipe = replace(recipe, epochs=6, batch_size=16, milestones=(), learning_rate=0.01)
    experiments = [NETWORK.seed(seed) for seed in range(seeds)]
    losses = {}
    for precision in ("float64", "float32", "tf32", "bf16"):
        _, states = trained(experiments, replace(recipe, precision=precision), few_digits)
        losses[precision] = torch.tensor(
            [[row["train_loss"] for row in state.history] for state in states]
        )
        assert (losses[precision].diff() < 0).all(), f"{precision}: {losses[precision]}"
    for found in losses.values():
        torch.testing.assert_close(found, losses["float32"], rtol=0.1, atol=0)


def test_two_processes_train_as_one(tmp_path, few_digits, deep_recipe):
    """Batches of 47 give one process more images than the other, and leave a last one of 38."""
    name = "mnist/resnet18+frozen"
    recipe = replace(deep_recipe, precision="float64", batch_size=47)
    data.save(few_digits, tmp_path / "digits.safetensors")
    alone = finished(
        tmp_path / "alone/checkpoints.json", parse_network(name).seed(0), recipe, few_digits
    )
    command = train_command(tmp_path, tmp_path, recipe, name, seeds=1)
    subprocess.run([*command, "--processes", "2"], env=ENVIRONMENT, check=True, capture_output=True)
    folder = tmp_path / name
    together, _ = tensorfile.load(folder / "checkpoints/resnet18+frozen/seed0/epoch2.safetensors")
    torch.testing.assert_close(together, dict(alone.state("2")), rtol=1e-9, atol=1e-12)
    for one, two in zip(history(tmp_path / "alone"), history(folder), strict=True):
        assert two == {**one, **{k: pytest.approx(v) for k, v in one.items() if k != "network"}}
    manifest = json.loads((folder / "checkpoints.json").read_text())
    assert manifest["experiments"][f"{name}/seed0"]["machines"][0]["processes"] == 2


def test_batch_statistics_over_processes_need_gpus():
    network = build(parse_network("mnist/resnet18+bn"), (1, 28, 28), 10, 0.125)
    with pytest.raises(InputError, match="batch normalization over several processes needs GPUs"):
        Single(network, ranks=Ranks(0, 2))

"""The training loop against its definition, and one in two processes against one in one."""

import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from layer_robustness.commands import train
from layer_robustness.data import dataset as data
from layer_robustness.experiments.groups import frozen_units
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR
from layer_robustness.models.build import build, draw
from layer_robustness.models.units import state_of, unit_modules
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator
from layer_robustness.storage import tensorfile
from layer_robustness.training.loop import in_parallel
from support.checkout import ENVIRONMENT
from support.processes import Forked
from support.training import NETWORK, finished, history, start, train_arguments, trained


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


@pytest.mark.parametrize(("step", "warmup"), [(sgd, 0), (adamw, 3)])
def test_training_is_the_recipe_written_out(few_digits, recipe, step, warmup):
    """A loop of plain arithmetic, in float64, is the oracle of weights and history."""
    recipe = replace(recipe, precision="float64", weight_decay=0.01)
    recipe = replace(recipe, optimizer=step.__name__, warmup=warmup)
    experiment = NETWORK.seed(0)
    network = draw(experiment, recipe.initial_law, (1, 28, 28), 10).double()
    memory = {name: {} for name, _ in network.named_parameters()}
    pixels, labels = few_digits.train_images.double() / 255, few_digits.train_labels
    inputs = (pixels - pixels.mean()) / pixels.std(correction=0)
    tests = (few_digits.test_images.double() / 255 - pixels.mean()) / pixels.std(correction=0)
    steps, expected = 0, []
    for epoch in range(1, 5):
        rate = 0.05 if epoch <= 2 else 0.01
        order = torch.randperm(320, generator=generator(experiment, "order", epoch))
        losses, wrong = [], []
        for batch in order.split(64):
            logits = network(inputs[batch])
            loss = nn.functional.cross_entropy(logits, labels[batch])
            network.zero_grad()
            loss.backward()
            losses.append(loss.detach())
            wrong += (logits.argmax(1) != labels[batch]).tolist()
            steps += 1
            warmed = rate * min(1, steps / (5 * warmup)) if warmup else rate
            with torch.no_grad():
                for name, p in network.named_parameters():
                    p.copy_(step(p, p.grad, memory[name], warmed, 0.01))
        missed = network(tests).argmax(1) != few_digits.test_labels
        row = {"epoch": epoch, "rate": warmed, "train_loss": float(sum(losses) / len(losses))}
        row |= {
            "seconds": 0,
            "train_error": sum(wrong) / 320,
            "test_error": float(missed.double().mean()),
        }
        expected.append(pytest.approx(row))
    state = trained(experiment, recipe, few_digits)
    for name, p in network.named_parameters():
        torch.testing.assert_close(state.weights[name], p, rtol=1e-8, atol=1e-10)
    assert [row | {"seconds": 0} for row in state.history] == expected


@pytest.fixture
def deep_recipe(deep):
    return replace(deep, epochs=2, checkpoints=(0, 2), augmentation="pad_crop_flip")


def test_frozen_units_keep_their_initial_values(few_digits, deep_recipe):
    """Neither steps, momentum, weight decay nor running statistics touch them."""
    recipe = replace(deep_recipe, weight_decay=0.01)
    experiment = parse_network("mnist/resnet18+wd+bn+frozen").seed(0)
    before = start(experiment, recipe, few_digits).weights
    state = trained(experiment, recipe, few_digits)
    frozen = frozen_units(experiment.network)
    assert len(frozen) == 4
    for unit, modules in unit_modules(experiment.network).items():
        own = state_of(modules, before)
        kept = all(torch.equal(own[name], state.weights[name]) for name in own)
        assert kept == (unit in frozen), unit
        assert bool(state_of(modules, state.optimizer)) != kept


def test_every_precision_learns(few_digits, recipe):
    """Small steps, many of them: the loss falls from 2.3 to 0.4, and rounding changes little.

    On a CPU tf32 is float32; bf16 rounds, and leaves the weights in float32.
    """
    recipe = replace(recipe, epochs=6, batch_size=16, milestones=(), learning_rate=0.01)
    losses = {}
    for precision in ("float64", "float32", "tf32", "bf16"):
        state = trained(NETWORK.seed(0), replace(recipe, precision=precision), few_digits)
        losses[precision] = torch.tensor([row["train_loss"] for row in state.history])
        assert (losses[precision].diff() < 0).all(), f"{precision}: {losses[precision]}"
        kind = torch.float64 if precision == "float64" else torch.float32
        assert {tensor.dtype for tensor in state.weights.values()} == {kind}
    assert torch.equal(losses["tf32"], losses["float32"])
    assert not torch.equal(losses["bf16"], losses["float32"])
    for found in losses.values():
        torch.testing.assert_close(found, losses["float32"], rtol=0.1, atol=0)


# Does not take zero images.
SMALL = ("img_size=28", "patch_size=7", "embed_dim=16", "depth=1", "num_heads=2")
BEIT = {"model": "beit_base_patch16_224", "options": SMALL, "initial_law": CONSTRUCTOR, "width": 1}


@pytest.mark.parametrize(
    ("name", "settings", "processes"),
    [
        # One process has more images than the other, also of a last batch of 38.
        ("mnist/resnet18+frozen", {"batch_size": 47}, 2),
        # The last 2 images to train on, and the last 41 to test, leave a process without any.
        ("beyond/beit", {"batch_size": 159, **BEIT}, 3),
    ],
)
def test_several_processes_train_as_one(
    tmp_path, few_digits, deep_recipe, monkeypatch, name, settings, processes
):
    recipe = replace(deep_recipe, precision="float64", **settings)
    data.save(few_digits, tmp_path / "digits.safetensors")
    alone = finished(
        tmp_path / "alone/checkpoints.json", parse_network(name).seed(0), recipe, few_digits
    )
    monkeypatch.setenv("PYTHONPATH", ENVIRONMENT["PYTHONPATH"])
    arguments = train_arguments(tmp_path, tmp_path, recipe, name, seeds=1)
    log = tmp_path / "log"
    assert Forked(train.main, [*arguments, "--processes", processes], log).wait() == 0
    folder = tmp_path / name
    file = folder / "checkpoints" / name.partition("/")[2] / "seed0/epoch2.safetensors"
    together, _ = tensorfile.load(file)
    torch.testing.assert_close(together, dict(alone.state("2")), rtol=1e-9, atol=1e-12)
    for one, two in zip(history(tmp_path / "alone"), history(folder), strict=True):
        assert two == {**one, **{k: pytest.approx(v) for k, v in one.items() if k != "network"}}
    manifest = json.loads((folder / "checkpoints.json").read_text())
    assert manifest["experiments"][f"{name}/seed0"]["machines"][0]["processes"] == processes


def test_a_last_batch_of_one_image_is_refused_where_it_has_no_batch_statistics(
    few_digits, deep_recipe
):
    """Of 320 images batches of 29 leave one, whose last maps in a VGG are 1x1 at 14x14."""
    half = few_digits.train_images[:, :, ::2, ::2], few_digits.test_images[:, :, ::2, ::2]
    small = replace(few_digits, train_images=half[0], test_images=half[1])
    recipe, vgg = replace(deep_recipe, batch_size=29), parse_network("mnist/vgg11+bn").seed(0)
    with pytest.raises(InputError, match="batch_size is 29, which leaves 1 of 320 images"):
        trained(vgg, recipe, small)


def test_batch_statistics_over_processes_need_gpus():
    network = build(parse_network("mnist/resnet18+bn"), (1, 28, 28), 10, 0.125)
    with pytest.raises(InputError, match="batch normalization over several processes needs GPUs"):
        in_parallel(network)

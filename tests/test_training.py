from dataclasses import replace

import pytest
import torch
from torch import nn

from layer_robustness.errors import InputError
from layer_robustness.experiments import parse_network
from layer_robustness.models.build import draw
from layer_robustness.seeding import generator
from layer_robustness.training import train
from layer_robustness.trainstate import TrainState

NETWORK = parse_network("mnist/fcn3x32")


def start(experiment, recipe, dataset) -> TrainState:
    network = draw(experiment, recipe.initial_law, dataset.image_shape, dataset.classes)
    return TrainState(dict(network.state_dict()))


def trained(experiments, recipe, dataset):
    """Return each experiment's snapshots (weights, momentum) after every epoch, and its state."""
    states = [start(experiment, recipe, dataset) for experiment in experiments]
    snapshots = {experiment: [] for experiment in experiments}

    def keep(experiment, state):
        copies = [
            {k: v.detach().clone() for k, v in t.items()} for t in (state.weights, state.momentum)
        ]
        snapshots[experiment].append(copies)

    train(experiments, states, recipe, dataset, keep)
    return snapshots, states


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("weight_decay", [0.0, 0.01])
def test_training_is_the_papers_recipe_written_out(few_digits, recipe, weight_decay):
    """A loop of plain arithmetic, in float64, is the oracle."""
    recipe = replace(recipe, precision="float64", weight_decay=weight_decay)
    experiment = NETWORK.seed(0)
    network = draw(experiment, recipe.initial_law, (1, 28, 28), 10).double()
    velocity = {name: torch.zeros_like(p) for name, p in network.named_parameters()}
    pixels = few_digits.train_images.double() / 255
    inputs = (pixels - pixels.mean()) / pixels.std(correction=0)
    for epoch in range(1, 5):
        rate = 0.05 if epoch <= 2 else 0.01
        order = torch.randperm(320, generator=generator(experiment, "order", epoch))
        for batch in order.split(64):
            loss = nn.functional.cross_entropy(
                network(inputs[batch]), few_digits.train_labels[batch]
            )
            network.zero_grad()
            loss.backward()
            with torch.no_grad():
                for name, p in network.named_parameters():
                    velocity[name] = 0.9 * velocity[name] + p.grad + weight_decay * p
                    p -= rate * velocity[name]
    _, (state,) = trained([experiment], recipe, few_digits)
    for name, p in network.named_parameters():
        torch.testing.assert_close(state.weights[name], p, rtol=1e-10, atol=1e-12)


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


def test_the_same_seed_is_bit_identical_and_another_is_not(few_digits, recipe):
    first, _ = trained([NETWORK.seed(0)], recipe, few_digits)
    second, _ = trained([NETWORK.seed(0)], recipe, few_digits)
    other, _ = trained([NETWORK.seed(1)], recipe, few_digits)
    weights = [snapshots[-1][0] for run in (first, second, other) for snapshots in run.values()]
    assert equal(weights[0], weights[1])
    assert not equal(weights[0], weights[2])


@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_going_on_from_any_epoch_is_bit_identical(few_digits, recipe, precision):
    recipe = replace(recipe, precision=precision)
    experiment = NETWORK.seed(0)
    snapshots, (whole,) = trained([experiment], recipe, few_digits)
    for epoch, (weights, momentum) in enumerate(snapshots[experiment], 1):
        state = TrainState(weights, momentum, whole.history[:epoch])
        train([experiment], [state], recipe, few_digits, lambda *_: None)
        assert equal(state.weights, whole.weights)


def test_a_stacked_member_trains_as_it_does_alone(few_digits, recipe):
    recipe = replace(recipe, precision="float64")
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


def test_a_stack_goes_on_from_its_members_states(few_digits, recipe):
    recipe = replace(recipe, precision="float64")
    experiments = [NETWORK.seed(seed) for seed in range(2)]
    snapshots, whole = trained(experiments, recipe, few_digits)
    states = [
        TrainState(*snapshots[experiment][1], state.history[:2])
        for experiment, state in zip(experiments, whole, strict=True)
    ]
    train(experiments, states, recipe, few_digits, lambda *_: None)
    for again, state in zip(states, whole, strict=True):
        torch.testing.assert_close(again.weights, state.weights, rtol=1e-10, atol=1e-12)


def test_a_training_that_diverges_says_so(few_digits, recipe):
    with pytest.raises(InputError, match=r"mnist/fcn3x32/seed0 diverged: .* lower learning_rate"):
        trained([NETWORK.seed(0)], replace(recipe, learning_rate=1000.0), few_digits)

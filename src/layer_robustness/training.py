"""Training by the paper's recipe: SGD with momentum and a piecewise constant rate (Section 2)."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from layer_robustness.batches import batches
from layer_robustness.data import Dataset
from layer_robustness.ensemble import Single, Stack, mean_loss
from layer_robustness.errors import InputError
from layer_robustness.experiments import Experiment
from layer_robustness.groups import frozen_units
from layer_robustness.models.build import build, memory_format
from layer_robustness.precision import PRECISIONS, arithmetic
from layer_robustness.progress import Progress
from layer_robustness.ranks import ALONE, Ranks
from layer_robustness.recipe import Recipe
from layer_robustness.trainstate import TrainState

TEST_BATCH = 500

Keep = Callable[[Experiment, TrainState], None]


def train(
    experiments: Sequence[Experiment],
    states: Sequence[TrainState],
    recipe: Recipe,
    dataset: Dataset,
    keep: Keep,
    ranks: Ranks = ALONE,
) -> None:
    """Train experiments of one shape side by side, from their states to the recipe's last epoch.

    `keep` is given each experiment's state after every epoch. Order and augmentation of the images
    depend on the experiment and the epoch only, so a state is all that training needs to go on
    from.

    Parameters
    ----------
    states
        One for each experiment, all at the same epoch.
    dataset
        On the device to train on.
    ranks
        Processes that train one experiment together; all of them call this with equal states.

    Raises
    ------
    InputError
        If a training loss is no longer finite; the state before that epoch is kept.
    """
    ensemble = assemble(experiments, states, recipe, dataset, ranks)
    optimizer = torch.optim.SGD(
        ensemble.trained.values(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,  # measured fastest: one kernel reads and writes each tensor once
    )
    restore_momentum(optimizer, ensemble, states)
    (done,) = {state.epoch for state in states}
    with (
        arithmetic(recipe.precision, dataset.device),
        Progress(", ".join(map(str, experiments)), done, recipe.epochs) as progress,
    ):
        for epoch in range(done + 1, recipe.epochs + 1):
            started = time.perf_counter()
            optimizer.param_groups[0]["lr"] = recipe.rate(epoch)
            losses, errors = train_epoch(
                ensemble, optimizer, experiments, epoch, recipe, dataset, ranks
            )
            test_errors = test_error(ensemble, len(experiments), recipe, dataset, ranks)
            seconds = time.perf_counter() - started
            refuse_divergence(experiments, losses, epoch)
            weights = {**ensemble.tensors, **ensemble.buffers}
            velocities = momentum(optimizer, ensemble)
            for index, (experiment, state) in enumerate(zip(experiments, states, strict=True)):
                state.weights = ensemble.member(weights, index)
                state.momentum = ensemble.member(velocities, index)
                state.record(
                    rate=recipe.rate(epoch),
                    train_loss=losses[index],
                    train_error=errors[index],
                    test_error=test_errors[index],
                    seconds=seconds,
                )
                keep(experiment, state)
            progress.epoch(epoch, sum(losses) / len(losses), sum(test_errors) / len(test_errors))


def assemble(experiments, states, recipe, dataset, ranks) -> Single | Stack:
    """Build the networks, on the data's device, and load their states."""
    networks = []
    for experiment, state in zip(experiments, states, strict=True):
        network = build(experiment.network, dataset.image_shape, dataset.classes, recipe.width).to(
            dataset.device,
            PRECISIONS[recipe.precision].weights,
            memory_format=memory_format(experiment.network, dataset.image_shape),
        )
        network.load_state_dict(state.weights)
        networks.append(network)
    if len(networks) > 1:
        return Stack(networks)
    return Single(networks[0], frozen_units(experiments[0].network), ranks)


def train_epoch(ensemble, optimizer, experiments, epoch, recipe, dataset, ranks):
    """Take one pass over the training images; mean loss and error of each member on the way."""
    loss_sums = torch.zeros(len(experiments), dtype=torch.float64, device=dataset.device)
    wrong = torch.zeros(len(experiments), dtype=torch.int64, device=dataset.device)
    dtype = PRECISIONS[recipe.precision].weights
    ensemble.train(True)
    for images, labels, size in batches(
        dataset, experiments, epoch, recipe, dataset.device, ranks.rank, ranks.count
    ):
        logits = ensemble(dataset.normalize(images, dtype))
        losses = mean_loss(logits, labels, size)
        optimizer.zero_grad()
        # Gradients are averaged over the ranks, of which each has but its part of the sum.
        (losses.sum() * ranks.count).backward()
        optimizer.step()
        loss_sums += losses.detach() * size
        wrong += (logits.argmax(-1) != labels).sum(1)
    count = len(dataset.train_labels)
    losses, errors = (ranks.sum(total).double() / count for total in (loss_sums, wrong))
    return losses.tolist(), errors.tolist()


@torch.no_grad()
def test_error(ensemble, members: int, recipe: Recipe, dataset: Dataset, ranks) -> list[float]:
    """Fraction of test images that each member gets wrong."""
    wrong = torch.zeros(members, dtype=torch.int64, device=dataset.device)
    dtype = PRECISIONS[recipe.precision].weights
    ensemble.train(False)
    parts = list(
        zip(
            dataset.test_images.split(TEST_BATCH),
            dataset.test_labels.split(TEST_BATCH),
            strict=True,
        )
    )
    for images, labels in parts[ranks.rank :: ranks.count]:
        inputs = dataset.normalize(images.to(dataset.device), dtype)
        logits = ensemble(inputs.expand(members, *inputs.shape))
        wrong += (logits.argmax(-1) != labels.to(dataset.device)).sum(1)
    return (ranks.sum(wrong).double() / len(dataset.test_labels)).tolist()


def refuse_divergence(experiments: Sequence[Experiment], losses: list[float], epoch: int) -> None:
    """Raise where a training loss is no longer finite: such a network has nothing to probe."""
    for experiment, loss in zip(experiments, losses, strict=True):
        if not math.isfinite(loss):
            raise InputError(
                f"{experiment} diverged: its training loss is {loss} in epoch {epoch}; "
                "lower learning_rate or choose another initial_law"
            )


def momentum(optimizer: torch.optim.SGD, ensemble) -> dict[str, Tensor]:
    """Momentum buffers by parameter name."""
    return {
        name: optimizer.state[tensor]["momentum_buffer"]
        for name, tensor in ensemble.trained.items()
        if optimizer.state[tensor].get("momentum_buffer") is not None
    }


def restore_momentum(optimizer, ensemble, states: Sequence[TrainState]) -> None:
    """Put the states' momentum buffers back into the optimizer, where there are any yet."""
    if not states[0].momentum:
        return
    for name, tensor in ensemble.trained.items():
        buffers = [state.momentum[name].to(tensor) for state in states]
        stacked = buffers[0].clone() if len(states) == 1 else torch.stack(buffers)
        optimizer.state[tensor]["momentum_buffer"] = stacked

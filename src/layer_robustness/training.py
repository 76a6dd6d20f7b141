"""Training by the paper's recipe: SGD with momentum and a piecewise constant rate (Section 2)."""

import math
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from layer_robustness.data import Dataset
from layer_robustness.ensemble import mean_loss, together
from layer_robustness.errors import InputError
from layer_robustness.experiments import Experiment
from layer_robustness.models.build import PRECISIONS, build
from layer_robustness.progress import Progress
from layer_robustness.recipe import Recipe
from layer_robustness.seeding import generator
from layer_robustness.trainstate import TrainState

TEST_BATCH = 1000

Keep = Callable[[Experiment, TrainState], None]


def train(
    experiments: Sequence[Experiment],
    states: Sequence[TrainState],
    recipe: Recipe,
    dataset: Dataset,
    keep: Keep,
) -> None:
    """Train experiments of one shape side by side, from their states to the recipe's last epoch.

    `keep` is given each experiment's state after every epoch. The order of the images depends on
    the experiment and the epoch only, so a state is all that training needs to go on from.

    Parameters
    ----------
    states
        One for each experiment, all at the same epoch.
    dataset
        On the device to train on.

    Raises
    ------
    InputError
        If a training loss is no longer finite; the state before that epoch is kept.
    """
    device = dataset.train_images.device
    dtype = PRECISIONS[recipe.precision]
    networks = [
        build(experiment.network, dataset.image_shape, dataset.classes)
        for experiment in experiments
    ]
    for network, state in zip(networks, states, strict=True):
        network.to(device, dtype).load_state_dict(state.weights)
    ensemble = together(networks)
    optimizer = torch.optim.SGD(
        ensemble.tensors.values(),
        lr=recipe.learning_rate,
        momentum=recipe.momentum,
        weight_decay=recipe.weight_decay,
        fused=True,  # measured fastest: one kernel reads and writes each tensor once
    )
    restore_momentum(optimizer, ensemble, states)
    (done,) = {state.epoch for state in states}
    with Progress(", ".join(map(str, experiments)), done, recipe.epochs) as progress:
        for epoch in range(done + 1, recipe.epochs + 1):
            started = time.perf_counter()
            optimizer.param_groups[0]["lr"] = recipe.rate(epoch)
            losses, errors = train_epoch(ensemble, optimizer, experiments, epoch, recipe, dataset)
            test_errors = test_error(ensemble, len(experiments), dataset, dtype)
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


def train_epoch(ensemble, optimizer, experiments, epoch, recipe, dataset) -> tuple[list, list]:
    """Take one pass over the training images; mean loss and error of each member on the way."""
    count = len(dataset.train_images)
    device = dataset.train_images.device
    orders = torch.stack(
        [
            torch.randperm(count, generator=generator(experiment, "order", epoch))
            for experiment in experiments
        ]
    ).to(device)
    loss_sums = torch.zeros(len(experiments), dtype=torch.float64, device=device)
    wrong = torch.zeros(len(experiments), dtype=torch.int64, device=device)
    ensemble.train(True)
    for batch in orders.split(recipe.batch_size, dim=1):
        images = dataset.normalize(take(dataset.train_images, batch), PRECISIONS[recipe.precision])
        labels = take(dataset.train_labels, batch)
        logits = ensemble(images)
        losses = mean_loss(logits, labels)
        optimizer.zero_grad()
        losses.sum().backward()
        optimizer.step()
        loss_sums += losses.detach() * batch.shape[1]
        wrong += (logits.argmax(-1) != labels).sum(1)
    return (loss_sums / count).tolist(), (wrong.double() / count).tolist()


def take(tensor: Tensor, indices: Tensor) -> Tensor:
    """Return tensor[indices] for indices [K, B]; index_select is the fastest way to gather rows."""
    rows = tensor.index_select(0, indices.reshape(-1))
    return rows.view(*indices.shape, *tensor.shape[1:])


@torch.no_grad()
def test_error(ensemble, members: int, dataset: Dataset, dtype: torch.dtype) -> list[float]:
    """Fraction of test images that each member gets wrong."""
    wrong = torch.zeros(members, dtype=torch.int64, device=dataset.test_images.device)
    ensemble.train(False)
    batches = zip(
        dataset.test_images.split(TEST_BATCH), dataset.test_labels.split(TEST_BATCH), strict=True
    )
    for images, labels in batches:
        inputs = dataset.normalize(images, dtype)
        logits = ensemble(inputs.expand(members, *inputs.shape))
        wrong += (logits.argmax(-1) != labels).sum(1)
    return (wrong.double() / len(dataset.test_labels)).tolist()


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
        for name, tensor in ensemble.tensors.items()
        if optimizer.state[tensor].get("momentum_buffer") is not None
    }


def restore_momentum(optimizer, ensemble, states: Sequence[TrainState]) -> None:
    """Put the states' momentum buffers back into the optimizer, where there are any yet."""
    if not states[0].momentum:
        return
    for name, tensor in ensemble.tensors.items():
        buffers = [state.momentum[name].to(tensor) for state in states]
        stacked = buffers[0].clone() if len(states) == 1 else torch.stack(buffers)
        optimizer.state[tensor]["momentum_buffer"] = stacked

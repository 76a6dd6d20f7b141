"""Training: SGD with momentum and a piecewise constant rate (Section 2), or AdamW."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from torch import Tensor

from layer_robustness.data.batches import batches
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.groups import frozen_units
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.build import placed
from layer_robustness.models.recipes import build_by
from layer_robustness.models.units import unit_modules
from layer_robustness.runtime.interruption import asked, leave
from layer_robustness.runtime.precision import PRECISIONS, arithmetic
from layer_robustness.runtime.ranks import ALONE, Ranks
from layer_robustness.runtime.seeding import generator
from layer_robustness.training.ensemble import Single, Stack, mean_loss
from layer_robustness.training.progress import Progress
from layer_robustness.training.state import PartOfEpoch, TrainState

PAUSE = 300  # seconds between two saved states within a long epoch

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

    `keep` is called with each experiment's state after every epoch, every few minutes within long
    epochs, and when a signal to stop has come. Order and augmentation of the images depend on
    the experiment and the epoch only, so a state is all that training needs to continue.

    Parameters
    ----------
    states
        One for each experiment, all after the same epoch and batch.
    dataset
        On the device to train on.
    ranks
        Processes that train one experiment together; all of them call this with equal states.

    An experiment whose training loss is no longer finite ends with that epoch; the others continue.

    Raises
    ------
    Interrupted
        If a signal to stop has come; the state after the last batch is saved.
    """
    name = ", ".join(map(str, experiments))
    with Progress(name, states[0].epoch, recipe.epochs) as progress:
        training = Training(experiments, states, recipe, dataset, keep, ranks)
        for epoch in range(states[0].epoch + 1, recipe.epochs + 1):
            progress.epoch(epoch, *training.epoch(epoch))
            if all(state.diverged for state in states):
                break


class Training:
    """Experiments of one shape in the middle of their training; see `train`."""

    def __init__(
        self,
        experiments: Sequence[Experiment],
        states: Sequence[TrainState],
        recipe: Recipe,
        dataset: Dataset,
        keep: Keep,
        ranks: Ranks,
    ):
        self.experiments, self.states, self.keep = experiments, states, keep
        self.recipe, self.dataset, self.ranks = recipe, dataset, ranks
        self.dtype = PRECISIONS[recipe.precision].weights
        self.arithmetic = partial(arithmetic, recipe.precision, dataset.device)
        self.ensemble = assemble(experiments, states, recipe, dataset, ranks)
        self.optimizer = optimizer_of(recipe, self.ensemble)
        restore(self.optimizer, self.ensemble, states)
        self.steps_of_epoch = math.ceil(len(dataset.train_labels) / recipe.batch_size)
        self.kept_at = time.monotonic()

    def epoch(self, epoch: int) -> tuple[float, float]:
        """Train what is left of an epoch, test, and keep the states; mean loss and test error."""
        self.begin()
        self.steps(epoch)
        test_errors = self.test_errors()
        count, seconds = len(self.dataset.train_labels), time.perf_counter() - self.started
        losses, errors = ((total.double() / count).tolist() for total in self.sums())
        for index in self.going_on:
            finite = math.isfinite(losses[index])
            self.states[index].record(
                rate=self.recipe.rate(epoch),  # of its last step
                train_loss=losses[index],
                train_error=errors[index] if finite else math.nan,
                test_error=test_errors[index] if finite else math.nan,
                seconds=seconds,
            )
        self.keep_states()
        return sum(losses) / len(losses), sum(test_errors) / len(test_errors)

    def begin(self) -> None:
        """Take up the epoch where the states are in it: at its start, or after some batches."""
        self.going_on = [i for i, state in enumerate(self.states) if not state.diverged]
        (self.batches,) = {state.part.batches for state in self.states}
        # What all ranks did before is counted by the first.
        parts = [s.part if self.ranks.rank == 0 else PartOfEpoch() for s in self.states]
        device = self.dataset.device
        self.losses = torch.tensor([p.loss for p in parts], dtype=torch.float64, device=device)
        self.wrong = torch.tensor([p.wrong for p in parts], dtype=torch.int64, device=device)
        self.started = time.perf_counter() - self.states[0].part.seconds

    def steps(self, epoch: int) -> None:
        """Take the steps of an epoch that are left, and add up loss and errors on the way."""
        ranks = self.ranks
        self.ensemble.train(True)
        for images, labels, size in batches(
            self.dataset,
            self.experiments,
            epoch,
            self.recipe,
            ranks,
            self.batches,
        ):
            self.prepare_step(epoch)
            with self.arithmetic():
                logits = self.ensemble(self.dataset.normalize(images, self.dtype))
                losses = mean_loss(logits, labels, size)
            self.optimizer.zero_grad()
            # Gradients are averaged over the ranks, of which each has but its part of the sum.
            (losses.sum() * ranks.count).backward()
            self.optimizer.step()
            self.losses += losses.detach() * size
            self.wrong += (logits.argmax(-1) != labels).sum(1)
            self.batches += 1
            self.pause()

    def prepare_step(self, epoch: int) -> None:
        """Set a step's rate and, for networks that may have dropout, all chance in it."""
        share = (self.batches + 1) / self.steps_of_epoch
        self.optimizer.param_groups[0]["lr"] = self.recipe.rate(epoch, share)
        if self.recipe.model:
            chance = generator(self.experiments[0], "step", epoch, self.batches, self.ranks.rank)
            torch.manual_seed(chance.initial_seed())

    @torch.no_grad()
    def test_errors(self) -> list[float]:
        """Fraction of test images that each member gets wrong."""
        dataset, members = self.dataset, len(self.experiments)
        wrong = torch.zeros(members, dtype=torch.int64, device=dataset.device)
        self.ensemble.train(False)
        for images, labels in self.test_parts():
            inputs = dataset.normalize(images.to(dataset.device), self.dtype)
            with self.arithmetic():
                logits = self.ensemble(inputs.expand(members, *inputs.shape))
            wrong += (logits.argmax(-1) != labels.to(dataset.device)).sum(1)
            self.pause()
        return (self.ranks.sum(wrong).double() / len(dataset.test_labels)).tolist()

    def test_parts(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield this rank's test images; the last part may be empty, as all have equally many.

        No more at once than in training: the batch size is what bounds an epoch's memory.
        """
        images, labels = self.dataset.test_images, self.dataset.test_labels
        step = math.ceil(self.recipe.batch_size / self.ranks.count)
        for first in range(0, len(labels), step * self.ranks.count):
            start = first + step * self.ranks.rank
            yield images[start : start + step], labels[start : start + step]

    def sums(self) -> list[Tensor]:
        """Each member's loss and number of errors, summed over the epoch's images so far."""
        return [self.ranks.sum(total.clone()) for total in (self.losses, self.wrong)]

    def pause(self) -> None:
        """Keep the states in the middle of an epoch, where it is time or a signal asks to leave."""
        overdue = time.monotonic() - self.kept_at > PAUSE
        leaving, overdue = self.ranks.any(asked(), overdue)
        if leaving or overdue:
            seconds = time.perf_counter() - self.started
            losses, wrong = self.sums()
            for index in self.going_on:
                sums = float(losses[index]), int(wrong[index])
                self.states[index].part = PartOfEpoch(self.batches, *sums, seconds)
            self.keep_states()
        if leaving:
            leave()

    def keep_states(self) -> None:
        """Hand on what each member that is still trained has become."""
        weights = self.ensemble.weights()
        of_optimizer = optimizer_state(self.optimizer, self.ensemble)
        for index in self.going_on:
            state = self.states[index]
            state.weights = self.ensemble.member(weights, index)
            state.optimizer = self.ensemble.member(of_optimizer, index)
            self.keep(self.experiments[index], state)
        self.kept_at = time.monotonic()


def assemble(
    experiments: Sequence[Experiment],
    states: Sequence[TrainState],
    recipe: Recipe,
    dataset: Dataset,
    ranks: Ranks,
) -> Single | Stack:
    """Build the networks, on the data's device, and load their states."""
    networks = []
    for experiment, state in zip(experiments, states, strict=True):
        shape, weights = dataset.image_shape, PRECISIONS[recipe.precision].weights
        network = build_by(recipe, experiment.network, shape, dataset.classes)
        network = placed(network, experiment.network, shape, dataset.device, weights)
        network.load_state_dict(state.weights)
        networks.append(network)
    if len(networks) > 1:
        return Stack(networks)
    network = experiments[0].network
    units = frozen_units(network)
    frozen = [module for unit in units for module in unit_modules(network)[unit]]
    return Single(networks[0], frozen, ranks)


def optimizer_of(recipe: Recipe, ensemble: Single | Stack) -> torch.optim.Optimizer:
    """Make a recipe's optimizer; fused is measured fastest: each tensor is read and written once.

    Weight decay is decoupled from the gradients in AdamW, and a part of them in SGD.
    """
    tensors, rate, decay = ensemble.trained.values(), recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(tensors, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(
        tensors, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=True
    )


def optimizer_state(
    optimizer: torch.optim.Optimizer, ensemble: Single | Stack
) -> dict[str, Tensor]:
    """All that an optimizer remembers, as in `layer1.weight.exp_avg`."""
    return {
        f"{name}.{key}": value
        for name, tensor in ensemble.trained.items()
        for key, value in optimizer.state[tensor].items()
        if value is not None
    }


def restore(
    optimizer: torch.optim.Optimizer, ensemble: Single | Stack, states: Sequence[TrainState]
) -> None:
    """Put what the optimizer remembered in the states back into it, where there is any yet."""
    for full_name in states[0].optimizer:
        name, _, key = full_name.rpartition(".")
        tensor, values = ensemble.trained[name], [state.optimizer[full_name] for state in states]
        if key == "step":  # one number, the same for all members
            value = values[0].to(tensor.device, copy=True)
        else:
            stacked = values[0] if len(states) == 1 else torch.stack(values)
            # In the tensor's own memory layout, in which the fused step takes both for granted.
            value = torch.empty_like(tensor).copy_(stacked)
        optimizer.state[tensor][key] = value

"""Training: SGD with momentum and a piecewise constant rate (Section 2), or AdamW."""

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.parallel import DistributedDataParallel

from layer_robustness.data.batches import batches
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.groups import frozen_units
from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.build import placed
from layer_robustness.models.recipes import build_by
from layer_robustness.models.units import unit_modules
from layer_robustness.runtime.errors import InputError, in_one_line
from layer_robustness.runtime.interruption import asked, leave
from layer_robustness.runtime.precision import PRECISIONS, arithmetic
from layer_robustness.runtime.ranks import ALONE, Ranks
from layer_robustness.runtime.seeding import generator
from layer_robustness.training.state import PartOfEpoch, TrainState

PAUSE = 300  # seconds between two saved states within a long epoch


@dataclass
class Training:
    """The training of an experiment, from a state to the end.

    Raises `InputError` if the network has batch normalization, and several processes train it on a
    CPU, or an epoch's last batch is a single image that has no statistics.

    dataset
        On the device to train on.
    keep
        Is called with the state after every epoch, every few minutes within long epochs, and when
        a signal to stop has come. Order and augmentation of the images depend on the experiment and
        the epoch only, so a state is all that training needs to continue.
    ranks
        Processes that train together; all of them do this with equal states, the first keeps.
    """

    experiment: Experiment
    state: TrainState
    recipe: Recipe
    dataset: Dataset
    keep: Callable[[TrainState], None]
    ranks: Ranks = ALONE

    def __post_init__(self) -> None:
        recipe, dataset = self.recipe, self.dataset
        self.dtype = PRECISIONS[recipe.precision].weights
        self.arithmetic = partial(arithmetic, recipe.precision, dataset.device)
        name, shape = self.experiment.network, dataset.image_shape
        network = build_by(recipe, name, shape, dataset.classes)
        self.network = placed(network, name, shape, dataset.device, self.dtype)
        frozen = [module for unit in frozen_units(name) for module in unit_modules(name)[unit]]
        self.frozen = [self.network.get_submodule(module) for module in frozen]
        for module in self.frozen:
            module.requires_grad_(False)
        self.check_last_batch()  # changes running statistics, so that weights are loaded later
        self.network.load_state_dict(self.state.weights)
        self.forward = in_parallel(self.network) if self.ranks.count > 1 else self.network
        parameters = self.network.named_parameters()
        self.trained = {name: tensor for name, tensor in parameters if tensor.requires_grad}
        self.optimizer = optimizer_of(recipe, self.trained)
        restore(self.optimizer, self.trained, self.state.optimizer)
        self.kept_at = time.monotonic()

    @torch.no_grad()
    def check_last_batch(self) -> None:
        """Refuse batches that leave one image, if batch normalization does."""
        count, size = len(self.dataset.train_labels), self.recipe.batch_size
        if (count - 1) % size:
            return
        image = torch.zeros(1, *self.dataset.image_shape, dtype=self.dtype)
        self.train_mode(True)
        try:
            self.network(image.to(self.dataset.device))
        except ValueError as error:
            raise InputError(
                f"batch_size is {size}, which leaves 1 of {count} images for an epoch's last step: "
                f"choose another ({in_one_line(error)})"
            ) from error

    def run(self) -> None:
        """Train to the recipe's last epoch, or to one whose loss is not finite.

        Raises `Interrupted` if a signal to stop has come; the state after the last batch is kept.
        """
        while self.state.epoch < self.recipe.epochs and not self.state.diverged:
            self.epoch(self.state.epoch + 1)

    def epoch(self, epoch: int) -> None:
        """Train what is left of an epoch, test, and keep the state."""
        self.batches = self.state.part.batches
        # What all ranks did before is counted by the first.
        part = self.state.part if self.ranks.rank == 0 else PartOfEpoch()
        device, count = self.dataset.device, len(self.dataset.train_labels)
        self.loss = torch.tensor(part.loss, dtype=torch.float64, device=device)
        self.wrong = torch.tensor(part.wrong, dtype=torch.int64, device=device)
        self.started = time.perf_counter() - self.state.part.seconds
        self.steps(epoch)
        test_error = self.test_error()
        seconds = time.perf_counter() - self.started
        loss, error = (float(total.double() / count) for total in self.sums())
        finite = math.isfinite(loss)
        self.state.record(
            rate=self.recipe.rate(epoch),  # of its last step
            train_loss=loss,
            train_error=error if finite else math.nan,
            test_error=test_error if finite else math.nan,
            seconds=seconds,
        )
        self.keep_state()
        if self.ranks.rank == 0:
            told = f"epoch {epoch}/{self.recipe.epochs} loss {loss:.4f} test error {test_error:.4f}"
            print(self.experiment, told, file=sys.stderr, flush=True)

    def steps(self, epoch: int) -> None:
        """Take the steps of an epoch that are left, and add up loss and errors on the way."""
        self.train_mode(True)
        steps_of_epoch = math.ceil(len(self.dataset.train_labels) / self.recipe.batch_size)
        for images, labels, size in batches(
            self.dataset, self.experiment, epoch, self.recipe, self.ranks, self.batches
        ):
            counts = self.ranks.rank < size  # otherwise its image is another rank's
            rate = self.recipe.rate(epoch, (self.batches + 1) / steps_of_epoch)
            self.optimizer.param_groups[0]["lr"] = rate
            if self.recipe.model:  # which may have dropout: all chance in a step is its own
                names = self.experiment, "step", epoch, self.batches, self.ranks.rank
                torch.manual_seed(generator(*names).initial_seed())
            with self.arithmetic():
                logits = self.forward(self.dataset.normalize(images, self.dtype))
                loss = cross_entropy(logits, labels, reduction="none").sum() * counts / size
            self.optimizer.zero_grad()
            # Gradients are averaged over the ranks, of which each has but its part of the sum.
            (loss * self.ranks.count).backward()
            self.optimizer.step()
            self.loss += loss.detach() * size
            self.wrong += (logits.argmax(-1) != labels).sum() * counts
            self.batches += 1
            self.pause()

    def train_mode(self, mode: bool) -> None:
        """Switch between training and evaluation; frozen running statistics stand still."""
        self.network.train(mode)
        for module in self.frozen:
            module.eval()

    @torch.no_grad()
    def test_error(self) -> float:
        """Fraction of test images that the network gets wrong.

        No more images at once than in training: the batch size is what bounds an epoch's memory.
        """
        dataset, ranks = self.dataset, self.ranks
        images, labels = dataset.test_images, dataset.test_labels
        wrong = torch.zeros((), dtype=torch.int64, device=dataset.device)
        self.train_mode(False)
        size = math.ceil(self.recipe.batch_size / ranks.count)
        # All ranks have equally many parts. The last may be empty: not every network takes none.
        for first in range(size * ranks.rank, len(labels) + size * ranks.rank, size * ranks.count):
            if first < len(labels):
                part = slice(first, first + size)
                inputs = dataset.normalize(images[part].to(dataset.device), self.dtype)
                with self.arithmetic():
                    logits = self.forward(inputs)
                wrong += (logits.argmax(-1) != labels[part].to(dataset.device)).sum()
            self.pause()
        return float(ranks.sum(wrong).double() / len(labels))

    def sums(self) -> list[Tensor]:
        """Loss and number of errors, summed over the epoch's images so far."""
        return [self.ranks.sum(total.clone()) for total in (self.loss, self.wrong)]

    def pause(self) -> None:
        """Keep the state in the middle of an epoch, where it is time or a signal asks to leave."""
        overdue = time.monotonic() - self.kept_at > PAUSE
        leaving, overdue = self.ranks.any(asked(), overdue)
        if leaving or overdue:
            seconds = time.perf_counter() - self.started
            loss, wrong = self.sums()
            self.state.part = PartOfEpoch(self.batches, float(loss), int(wrong), seconds)
            self.keep_state()
        if leaving:
            leave()

    def keep_state(self) -> None:
        """Hand on what the network has become."""
        self.state.weights = dict(self.network.state_dict())
        self.state.optimizer = optimizer_state(self.optimizer, self.trained)
        if self.ranks.rank == 0:
            self.keep(self.state)
        self.kept_at = time.monotonic()


def in_parallel(network: nn.Module) -> DistributedDataParallel:
    """Average gradients over processes; batch statistics become those of the whole batch."""
    device = next(network.parameters()).device
    if any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        if device.type != "cuda":
            raise InputError(
                "batch normalization over several processes needs GPUs: use one process on a CPU"
            )
        convert_sync_batchnorm(network)
    ids = [device] if device.type == "cuda" else None
    return DistributedDataParallel(network, ids, broadcast_buffers=False)


def optimizer_of(recipe: Recipe, trained: dict[str, nn.Parameter]) -> torch.optim.Optimizer:
    """Make a recipe's optimizer; fused is measured fastest: each tensor is read and written once.

    Weight decay is decoupled from the gradients in AdamW, and a part of them in SGD.
    """
    tensors, rate, decay = trained.values(), recipe.learning_rate, recipe.weight_decay
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(tensors, lr=rate, weight_decay=decay, fused=True)
    return torch.optim.SGD(
        tensors, lr=rate, momentum=recipe.momentum, weight_decay=decay, fused=True
    )


def optimizer_state(
    optimizer: torch.optim.Optimizer, trained: dict[str, nn.Parameter]
) -> dict[str, Tensor]:
    """All that an optimizer remembers, as in `layer1.weight.exp_avg`."""
    return {
        f"{name}.{key}": value
        for name, tensor in trained.items()
        for key, value in optimizer.state[tensor].items()
        if value is not None
    }


def restore(
    optimizer: torch.optim.Optimizer,
    trained: dict[str, nn.Parameter],
    remembered: dict[str, Tensor],
) -> None:
    """Put what an optimizer remembered back into it."""
    for full_name, value in remembered.items():
        name, _, key = full_name.rpartition(".")
        tensor = trained[name]
        # In the tensor's own memory layout, in which the fused step takes both for granted; AdamW's
        # `step` is a single number.
        like = tensor if value.ndim else value
        optimizer.state[tensor][key] = torch.empty_like(like, device=tensor.device).copy_(value)

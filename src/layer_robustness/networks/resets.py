"""All resets of a network, evaluated in one pass over the images."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from layer_robustness.networks import inputs
from layer_robustness.networks.cut import Cut
from layer_robustness.networks.measures import Tally, same
from layer_robustness.networks.replay import Diverged, Replay, logits_of
from layer_robustness.networks.result import TRAINED, Result
from layer_robustness.networks.sources import Source, changes
from layer_robustness.networks.tensors import State, copy_with, named_tensors, replaced
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import leave_if_asked

CHECKED = 4  # images of the first micro-batch, on which each reset is held to its definition
LARGEST = 128  # images of a micro-batch: more are no faster


@dataclass
class Reset:
    """One unit at one draw of a source, and what was counted of it."""

    unit: str
    source: Source
    names: Sequence[str]
    tally: Tally = field(default_factory=Tally)
    engine: str = "replay"
    order: int = 0


@dataclass
class Probe:
    """All resets of a network, and where they are."""

    network: nn.Module
    cut: Cut
    sources: Sequence[Source]
    memory: int

    def __post_init__(self):
        self.resets = [
            Reset(unit, source, names)
            for unit, names in self.cut.units.items()
            for source in self.sources
        ]
        self.replay = Replay(self.network, self.cut.modules)
        self.trained = Tally()
        self.tensors = named_tensors(self.network)
        self.classes = 0
        self.micro_batch = CHECKED

    def run(self, batches: inputs.Batches, device: torch.device) -> None:
        """Evaluate all resets in one pass over the images."""
        images = inputs.count(batches)
        total = images and images * len(self.resets)
        sizes = (self.micro_batch for _ in itertools.count())
        # At a terminal only; it goes to stderr and tells the time that is left.
        with tqdm(total=total, unit="image", unit_scale=True, disable=None) as bar:
            for pixels, labels in inputs.micro_batches(batches, device, sizes):
                first = not self.classes
                clean = self.first_pass(pixels) if first else self.replay.record(pixels)
                inputs.check_classes(batches, self.classes)
                inputs.check_labels(labels, self.classes)
                self.trained.add(clean, clean, labels)
                for reset in self.resets:
                    leave_if_asked()
                    logits = self.logits(reset, pixels, clean, first)
                    reset.tally.add(logits, clean, labels)
                    bar.update(len(labels))
        if not self.classes:
            raise InputError("data: there are no images")

    def first_pass(self, images: Tensor) -> Tensor:
        """Run the first clean pass, refuse networks that nothing can be said of; set the sizes."""
        clean = self.replay.record(images)
        if clean.isnan().any():
            raise InputError("the network puts out NaN: expected one that was trained")
        if not same(clean, logits_of(self.network, images)):
            raise InputError(
                "the network puts out other logits for the same images: turn off what is random "
                "in it in evaluation mode, or what it keeps from one batch to the next"
            )
        self.classes = clean.shape[1]
        self.micro_batch = self.fitting(len(images))
        return clean

    def fitting(self, images: int) -> int:
        """Images of a micro-batch whose tape, and the work beside it, stay inside the memory."""
        held, largest = self.replay.bytes()
        return max(1, min(LARGEST, self.memory * images // max(1, held + 8 * largest)))

    def logits(self, reset: Reset, images: Tensor, clean: Tensor, first: bool) -> Tensor:
        """Logits [N, classes] of the reset network; the first time they are held to the full pass.

        Where they differ, the reset takes the full pass from then on.
        """
        own = {name: self.tensors[name] for name in reset.names}
        values = dict(changes(reset.source, own))
        if first:
            reset.order = self.replay.first({id(tensor) for tensor in own.values()})
        if not values:  # a source that equals the trained weights costs nothing
            return clean
        if reset.engine == "full pass":
            return self.full_pass(values, images)
        try:
            replayed = self.replayed(values, images)
        except Diverged:
            replayed = None
        if replayed is None or (first and not same(replayed, self.full_pass(values, images))):
            reset.engine = "full pass"
            return self.full_pass(values, images)
        return replayed

    def replayed(self, values: State, images: Tensor) -> Tensor:
        """Run the network with some tensors replaced, from the first call on that owns one."""
        first = self.replay.first({id(self.tensors[name]) for name in values})
        with replaced(self.network, values):
            return self.replay.run(images, first)

    def full_pass(self, values: State, images: Tensor) -> Tensor:
        """Run a copy of the network with some tensors replaced: what a reset means."""
        return logits_of(copy_with(self.network, values), images)

    def result(self, measures: tuple[str, ...]) -> Result:
        """Return the rows of all resets, units in the order in which they are called."""
        resets = sorted(self.resets, key=lambda reset: reset.order)
        everything = sum(tensor.numel() for tensor in self.network.parameters())
        first = self.row(self.trained, measures, everything, 0, "clean pass")
        rows = [{"unit": TRAINED, "source": TRAINED, "draw": 0, **first}]
        for reset in resets:
            own = [self.tensors[name] for name in reset.names]
            count = sum(tensor.numel() for tensor in own if isinstance(tensor, nn.Parameter))
            row = self.row(reset.tally, measures, count, reset.order, reset.engine)
            rows.append(
                {"unit": reset.unit, "source": reset.source.name, "draw": reset.source.draw, **row}
            )
        parts = {reset.unit: self.cut.parts[reset.unit] for reset in resets}
        return Result(pd.DataFrame(rows), parts, self.classes)

    def row(
        self, tally: Tally, measures: tuple[str, ...], parameters: int, order: int, engine: str
    ) -> dict:
        """Return what all rows have."""
        precision = str(next(self.network.parameters()).dtype).removeprefix("torch.")
        return {
            **tally.means(measures),
            "images": tally.images,
            "parameters": parameters,
            "order": order,
            "engine": engine,
            "precision": precision,
            "classes": self.classes,
        }

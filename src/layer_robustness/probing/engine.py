"""All resets of a network, evaluated for one micro-batch of images after the other.

By definition each reset is one full pass of the network with some tensors replaced. The engine
gives the same predictions for less work, by replay.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from layer_robustness.probing.measures import same
from layer_robustness.probing.replay import Diverged, Replay, logits_of
from layer_robustness.probing.sources import Source, changes
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.memory import ran_out

CHECKED = 4  # images on which each reset is held to its definition
LARGEST = 250  # images of a micro-batch: more are no faster on a CPU
CLOSE = 1e-3  # of the largest logit: by so much a batch of another size may round otherwise
REPLAY, FULL_PASS = "replay", "full pass"


@dataclass
class Reset:
    """Some of a network's tensors, by name, that are put back to a source.

    unit
        What the tensors are called together: a unit, or a group that is reset jointly.
    order
        Number of calls before the first that owns one of the tensors, known once `begin` ran.
    joins
        Whether it can travel in one batch with others.
    """

    unit: str
    names: Sequence[str]
    source: Source
    values: dict[str, Tensor] = field(default_factory=dict)  # what the source changes
    engine: str = REPLAY
    order: int = 0
    joins: bool = True


class Engine:
    """A network and its resets.

    Parameters
    ----------
    network
        It is put into evaluation mode.
    modules
        Whose outputs a clean pass keeps: see `Cut`.
    joined
        How many resets may travel in one batch, which pays on a GPU.
    """

    def __init__(
        self,
        network: nn.Module,
        modules: Sequence[nn.Module],
        resets: Sequence[Reset],
        joined: int = 1,
    ):
        network.eval()  # a `train` of its own may return nothing
        self.network, self.resets, self.joined = network, resets, joined
        self.classes, self.image_bytes = 0, 1  # known once `begin` ran
        self.replay = Replay(network, modules)
        tensors = self.replay.weights.tensors
        for reset in resets:
            own = {name: tensors[name] for name in reset.names}
            reset.values = dict(changes(reset.source, own))

    def begin(self, images: Tensor, memory: int, checked: bool = True) -> int:
        """Look at a few images, and return how many fit into `memory` bytes at once.

        Raises `InputError` if the network puts out NaN, or other logits for the same images.

        If `checked`, each reset is held to a full pass. Where they differ, or where the network
        calls other modules, the reset takes full passes from then on. The paper's networks do
        without, as the tests hold them to changed copies.
        """
        clean = self.clean_pass(images)
        if not same(clean, logits_of(self.network, images.clone())):
            raise InputError(
                "the network puts out other logits for the same images: turn off what is random "
                "in it in evaluation mode, or what it keeps from one batch to the next"
            )
        self.classes = clean.shape[1]
        for reset in self.resets:
            reset.order = self.replay.first(reset.names)
        if checked:
            self.check(images)
        held, largest = self.replay.bytes()
        self.image_bytes = max(1, (held + 4 * largest * (1 + self.joined)) // len(images))
        return self.fitting(memory)

    def fitting(self, memory: int) -> int:
        """Return how many images fit into so many bytes at once."""
        return max(1, min(LARGEST, memory // self.image_bytes))

    def check(self, images: Tensor) -> None:
        """Find out which resets cannot be replayed, and whether they can travel together."""
        alone = {}
        for row, reset in enumerate(self.resets, 1):
            if reset.values:
                leave_if_asked()
                alone[row] = self.full_pass(reset, images)
        # Replays follow each other as they will from then on: a network may keep something that
        # only a full pass brings up to date.
        together, self.joined = self.joined, 1
        for (row,), replayed in self.logits(images):
            if row in alone and not same(replayed, alone[row]):
                self.resets[row - 1].engine = FULL_PASS
        self.joined = together
        for rows, replayed in self.logits(images) if together > 1 else ():
            if len(rows) > 1 and not close(replayed, torch.cat([alone[row] for row in rows])):
                separate([self.resets[row - 1] for row in rows])

    def logits(self, images: Tensor) -> Iterator[tuple[list[int], Tensor]]:
        """Yield rows, and their logits [N, classes] one after the other.

        Row 0, which comes first, is the network as it is; the others are the resets in their order.
        """
        clean = self.clean_pass(images)
        yield [0], clean
        for row, reset in enumerate(self.resets, 1):
            if not reset.values:  # a source that equals the trained weights costs nothing
                yield [row], clean
        for rows in self.groups():
            leave_if_asked()
            yield rows, self.replayed([self.resets[row - 1] for row in rows], images)

    def groups(self) -> Iterator[list[int]]:
        """Rows of the resets that change something; those travel together that begin together."""
        beginning = defaultdict(list)
        for row, reset in enumerate(self.resets, 1):
            if reset.values:
                joins = self.joined > 1 and reset.joins and reset.engine == REPLAY
                joins = joins and self.replay.owns(reset.values)
                beginning[self.replay.first(reset.values) if joins else -row].append(row)
        for rows in beginning.values():
            for start in range(0, len(rows), self.joined):
                yield rows[start : start + self.joined]

    def clean_pass(self, images: Tensor) -> Tensor:
        """Logits of the network as it is, which puts its tape on record."""
        logits = self.replay.record(images)
        if logits.isnan().any():
            raise InputError(
                "the network puts out NaN for some images, so nothing can be predicted: train it "
                "again, with a lower learning rate or in float32"
            )
        return logits

    def replayed(self, resets: Sequence[Reset], images: Tensor) -> Tensor:
        """Logits of the resets, one after the other; by replay where that can be."""
        first, values = self.replay.first(resets[0].values), [reset.values for reset in resets]
        if len(resets) > 1:
            try:
                return self.replay.run(images, first, values)
            except Exception as error:  # a forward may raise anything for a batch that is repeated
                if ran_out(error):
                    raise
                separate(resets)
            return torch.cat([self.replayed([reset], images) for reset in resets])
        (reset,) = resets
        if reset.engine == REPLAY:
            try:
                return self.replay.run(images, first, values)
            except Diverged:
                reset.engine = FULL_PASS
        return self.full_pass(reset, images)

    def full_pass(self, reset: Reset, images: Tensor) -> Tensor:
        """Run the network with some tensors replaced: what a reset means."""
        with self.replay.weights.replaced(reset.values):
            return logits_of(self.network, images.clone())


def separate(resets: Sequence[Reset]) -> None:
    """Let each of these resets travel alone from then on."""
    for reset in resets:
        reset.joins = False


def close(one: Tensor, other: Tensor) -> bool:
    """Whether logits are equal but for rounding."""
    tolerance = CLOSE * float(other.nan_to_num().abs().max())
    return torch.allclose(one, other, 0, tolerance, equal_nan=True)

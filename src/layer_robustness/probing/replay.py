"""Replay: a pass in which all that ran before the first changed unit is taken from a clean pass.

A clean pass of the network's own forward keeps the outputs of its modules, the *tape*. For a reset
the forward runs again, and every call before the first one that owns a changed tensor returns what
is on the tape. By causality, that is what it would compute, whatever lies between the modules.

Several resets that begin at the same call can travel in one batch: the images and what is on the
tape are repeated for each of them, and a call that owns a changed tensor runs once for each reset,
on its part of the batch. Tensors that are not as long as the batch are the same for all of them.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from layer_robustness.probing.tensors import State, Weights, identities
from layer_robustness.runtime.errors import InputError

# What answers a call of a module, from its own forward and the arguments.
Handler = Callable[[nn.Module, Callable, tuple, dict], Any]


class Diverged(Exception):
    """A replay called other modules than the clean pass did."""


class Call:
    """A call of a module in the clean pass: its output, and how that is changed in place behind it.

    before
        Sum of the versions of the tensors in it: PyTorch counts how often each was changed.
    in_calls
        Changes within later calls, of which `writer` is the last one's place.
    """

    def __init__(self, module: nn.Module, output: Any):
        self.module, self.output = module, output
        self.tensors = [leaf for leaf in tree_leaves(output) if is_tensor(leaf)]
        self.before, self.in_calls, self.writer = self.versions(), 0, -1

    def versions(self) -> int:
        """Sum of the versions that its tensors have now."""
        return sum(tensor._version for tensor in self.tensors)


class Replay:
    """The tape of a network for one micro-batch of images after the other.

    The network is in evaluation mode. Calls of the modules are kept; one inside another one of them
    belongs to that one.
    """

    def __init__(self, network: nn.Module, modules: Sequence[nn.Module]):
        self.network, self.weights = network, Weights(network)
        self.owned = {module: identities(module) for module in modules}
        self.calls: list[Call] = []
        self.places: dict[int, int] = {}  # of the first call that owns a tensor, by its identity
        # Calls whose outputs are changed in place, and the last call that does so: infinity if it
        # happens outside of calls. A replay that skips all of the changes needs no copies.
        self.overwritten: dict[int, float] = {}
        self.writes_into_images = False
        self._now = Answering()
        self._answers = [(vars(module), answering(module, self._now)) for module in self.owned]

    def record(self, images: Tensor) -> Tensor:
        """Run the network as it is and keep the outputs: logits [N, classes]."""
        logits = self._clean_pass(images)
        while found := self._changed_in_place():
            self.overwritten |= found
            logits = self._clean_pass(images)
        self.places = {}
        for place, call in enumerate(self.calls):
            for tensor in self.owned[call.module]:
                self.places.setdefault(tensor, place)
        return logits

    def first(self, names: Iterable[str]) -> int:
        """Place of the first call that owns one of the tensors.

        It is 0, from where everything runs, if no call owns one of them: the network uses that
        tensor itself, nobody knows where.
        """
        return min(self.places.get(id(self.weights.tensors[name]), 0) for name in names)

    def owns(self, names: Iterable[str]) -> bool:
        """Whether each of the tensors is some call's."""
        return all(id(self.weights.tensors[name]) in self.places for name in names)

    def run(self, images: Tensor, first: int, resets: Sequence[State]) -> Tensor:
        """Run the network with the outputs of all calls before `first` from the tape.

        Returns logits [N, classes] under each of the resets, one after the other. Raises `Diverged`
        if it calls modules in another order than the clean pass did.

        Resets are tensors and their other values; if there are several, calls have to own them all.
        """
        tape, count, batch = iter(enumerate(self.calls[:first])), len(resets), len(images)
        tensors = self.weights.tensors
        changed = {id(tensors[name]) for values in resets for name in values}

        def handle(module: nn.Module, forward: Callable, args: tuple, kwargs: dict) -> Any:
            place, call = next(tape, (0, None))
            if call is not None:
                if call.module is not module:
                    raise Diverged
                kept = copied(call.output, self.overwritten.get(place, -1) >= first)
                return repeated(kept, count, batch)
            owned = self.owned[module]
            if count == 1 or owned.isdisjoint(changed):
                return forward(*args, **kwargs)
            outputs = []
            for number, values in enumerate(resets):
                own = {name: value for name, value in values.items() if id(tensors[name]) in owned}
                own_args, own_kwargs = part((args, kwargs), number, count, batch)
                with self.weights.replaced(own):
                    outputs.append(forward(*own_args, **own_kwargs))
            return joined(outputs, batch)

        given = images.clone() if self.writes_into_images else images
        with self.weights.replaced(resets[0] if count == 1 else {}), self._answered(handle):
            return logits_of(self.network, repeated(given, count, batch))

    def bytes(self) -> tuple[int, int]:
        """Bytes that the tape holds, in all and for its largest tensor."""
        tensors = [tensor for call in self.calls for tensor in call.tensors]
        wholes = [tensor if tensor._base is None else tensor._base for tensor in tensors]
        sizes = {id(whole): whole.nbytes for whole in wholes}
        return sum(sizes.values()), max(sizes.values(), default=0)

    def _clean_pass(self, images: Tensor) -> Tensor:
        self.calls = []

        def handle(module: nn.Module, forward: Callable, args: tuple, kwargs: dict) -> Any:
            before = [call.versions() for call in self.calls]
            output = forward(*args, **kwargs)
            place = len(self.calls)
            for call, versions in zip(self.calls, before, strict=True):
                if changes := call.versions() - versions:
                    call.in_calls, call.writer = call.in_calls + changes, place
            self.calls.append(Call(module, copied(output, place in self.overwritten)))
            return output

        given = images.clone()
        before = given._version
        with self._answered(handle):
            logits = logits_of(self.network, given)
        self.writes_into_images = given._version != before
        return logits

    def _changed_in_place(self) -> dict[int, float]:
        found = {}
        for place, call in enumerate(self.calls):
            if changes := call.versions() - call.before:
                found[place] = call.writer if changes == call.in_calls else math.inf
        return found

    @contextmanager
    def _answered(self, handle: Handler) -> Iterator[None]:
        """Let `handle` answer every call of a module that is not inside another such call."""
        self._now.handle = handle
        before = [attributes.get("forward") for attributes, _ in self._answers]
        try:
            for attributes, answer in self._answers:
                attributes["forward"] = answer
            yield
        finally:
            for (attributes, _), forward in zip(self._answers, before, strict=True):
                del attributes["forward"]
                if forward is not None:
                    attributes["forward"] = forward
            self._now.handle = None


@dataclass
class Answering:
    """What answers the next call; nothing while it answers one, so that calls inside that one run.

    It knows the tape, and answers know this object: they must not know the tape themselves, or it
    would stay in memory until Python looks for cycles.
    """

    handle: Handler | None = None


def answering(module: nn.Module, now: Answering) -> Callable:
    """Return what stands for a module's forward while calls are answered."""
    forward = module.forward

    @wraps(forward)  # some networks look at the arguments that a forward takes
    def answer(*args: Any, **kwargs: Any) -> Any:
        if now.handle is None:
            return forward(*args, **kwargs)
        handle, now.handle = now.handle, None
        try:
            return handle(module, forward, args, kwargs)
        finally:
            now.handle = handle

    return answer


@torch.no_grad()  # inference mode would keep no versions
def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """Logits [N, classes] of a network, which may put them out as an attribute.

    Raises `InputError` if there are none in its output.
    """
    output = network(images)
    logits = getattr(output, "logits", output)
    if not isinstance(logits, Tensor) or logits.ndim != 2 or len(logits) != len(images):
        what = f"shape {list(logits.shape)}" if isinstance(logits, Tensor) else str(type(logits))
        raise InputError(
            f"the network puts out {what} for {len(images)} images: expected logits "
            "[images, classes], or an object that has them as .logits"
        )
    return logits


def copied(output: Any, tensors: bool) -> Any:
    """Copy the lists and the like in an output, and if asked the tensors in them."""
    if isinstance(output, Tensor):  # tree_map takes longer
        return output.clone() if tensors else output
    return tree_map(lambda leaf: leaf.clone() if tensors and is_tensor(leaf) else leaf, output)


def repeated(output: Any, count: int, batch: int) -> Any:
    """Repeat the tensors in an output that are as long as the batch."""
    if count == 1:
        return output
    return tree_map(
        lambda leaf: torch.cat([leaf] * count) if is_long(leaf, batch) else leaf, output
    )


def part(inputs: Any, number: int, count: int, batch: int) -> Any:
    """Take one of so many parts of the tensors in the inputs that are as long as all of them."""

    def taken(leaf: Any) -> Any:
        return leaf.chunk(count)[number] if is_long(leaf, count * batch) else leaf

    return tree_map(taken, inputs)


def joined(outputs: Sequence[Any], batch: int) -> Any:
    """Put the tensors of several outputs that are as long as the batch into one.

    Raises `ValueError` if the others differ, so that each of the outputs would need its own.
    """

    def one(*parts: Any) -> Any:
        if is_long(parts[0], batch):
            return torch.cat(parts)
        if is_tensor(parts[0]) and not all(torch.equal(parts[0], other) for other in parts):
            raise ValueError("outputs differ that are not along the batch")
        return parts[0]

    return tree_map(one, *outputs)


def is_long(leaf: Any, length: int) -> bool:
    """Whether a leaf of an output is a tensor with this length."""
    return is_tensor(leaf) and leaf.ndim > 0 and len(leaf) == length


def is_tensor(leaf: Any) -> bool:
    """Whether a leaf of an output is a tensor."""
    return isinstance(leaf, Tensor)

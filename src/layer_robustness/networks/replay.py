"""Replay: a pass in which all that ran before the first changed unit is taken from a clean pass.

A clean pass of the network's own forward keeps the outputs of its modules, the *tape*. For a reset
the forward runs again, and every call before the first one that owns a changed tensor returns what
is on the tape. By causality, that is what it would compute, whatever lies between the modules.
"""

from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from layer_robustness.networks.tensors import identities
from layer_robustness.runtime.errors import InputError

Handler = Callable[[nn.Module, Callable[[], Any]], Any]


class Diverged(Exception):
    """A replay called other modules than the clean pass did."""


@dataclass
class Call:
    """A call of a module in the clean pass: its output, and the versions of the tensors in it."""

    module: nn.Module
    output: Any
    versions: list[int]


@dataclass
class Replay:
    """The tape of a network for one micro-batch of images after the other.

    Parameters
    ----------
    modules
        Whose calls are kept. A call inside another one of them belongs to that one.
    """

    network: nn.Module
    modules: Sequence[nn.Module]
    calls: list[Call] = field(default_factory=list)
    overwritten: set[int] = field(default_factory=set)  # calls whose outputs are changed in place

    def __post_init__(self):
        self.owned = {module: identities(module) for module in self.modules}

    def record(self, images: Tensor) -> Tensor:
        """Run the network as it is and keep the outputs: logits [N, classes]."""
        logits = self._clean_pass(images)
        while found := set(self._changed_in_place()) - self.overwritten:
            self.overwritten |= found
            logits = self._clean_pass(images)
        return logits

    def first(self, tensors: Set[int]) -> int:
        """Place of the first call that owns one of the tensors, given by identity.

        It is 0, from where everything runs, if no call owns one of them: the network uses that
        tensor itself, nobody knows where.
        """
        places = []
        for tensor in tensors:
            owners = (n for n, call in enumerate(self.calls) if tensor in self.owned[call.module])
            places.append(next(owners, 0))
        return min(places)

    def run(self, images: Tensor, first: int) -> Tensor:
        """Run the network with the outputs of all calls before `first` from the tape.

        Raises
        ------
        Diverged
            If it calls modules in another order than the clean pass did.
        """
        tape = iter(enumerate(self.calls[:first]))

        def handle(module: nn.Module, compute: Callable[[], Any]) -> Any:
            place, call = next(tape, (None, None))
            if call is None:
                return compute()
            if call.module is not module:
                raise Diverged
            return copied(call.output, tensors=place in self.overwritten)

        with handled(self.modules, handle):
            return logits_of(self.network, images)

    def bytes(self) -> tuple[int, int]:
        """Bytes that the tape holds, in all and for its largest tensor."""
        tensors = [tensor for call in self.calls for tensor in tensors_in(call.output)]
        sizes = {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
        return sum(sizes.values()), max(sizes.values(), default=0)

    def _clean_pass(self, images: Tensor) -> Tensor:
        self.calls = []

        def handle(module: nn.Module, compute: Callable[[], Any]) -> Any:
            output = compute()
            kept = copied(output, tensors=len(self.calls) in self.overwritten)
            versions = [tensor._version for tensor in tensors_in(kept)]
            self.calls.append(Call(module, kept, versions))
            return output

        with handled(self.modules, handle):
            return logits_of(self.network, images)

    def _changed_in_place(self) -> Iterator[int]:
        for place, call in enumerate(self.calls):
            if call.versions != [tensor._version for tensor in tensors_in(call.output)]:
                yield place


@contextmanager
def handled(modules: Sequence[nn.Module], handle: Handler) -> Iterator[None]:
    """Let `handle` answer every call of a module that is not inside another such call."""
    inside = False

    def answering(module: nn.Module) -> Callable:
        forward = module.forward

        @wraps(forward)  # some networks look at the arguments that a forward takes
        def answer(*args: Any, **kwargs: Any) -> Any:
            nonlocal inside
            if inside:
                return forward(*args, **kwargs)
            inside = True
            try:
                return handle(module, lambda: forward(*args, **kwargs))
            finally:
                inside = False

        return answer

    before = [(module, module.__dict__.get("forward")) for module in modules]
    try:
        for module in modules:
            module.__dict__["forward"] = answering(module)
        yield
    finally:
        for module, forward in before:
            module.__dict__.pop("forward", None)
            if forward is not None:
                module.__dict__["forward"] = forward


@torch.no_grad()  # inference mode would keep no versions
def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """Logits [N, classes] of a network, which may put them out as an attribute.

    Raises
    ------
    InputError
        If there are none in its output.
    """
    output = network(images.clone())  # a network may write into its input
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
    return tree_map(lambda leaf: leaf.clone() if tensors and is_tensor(leaf) else leaf, output)


def tensors_in(output: Any) -> list[Tensor]:
    """All tensors in an output."""
    return [leaf for leaf in tree_leaves(output) if is_tensor(leaf)]


def is_tensor(leaf: Any) -> bool:
    """Whether a leaf of an output is a tensor."""
    return isinstance(leaf, Tensor)

"""The probe: test predictions of the final network with some units reset.

By definition each reset is one full pass of a network in which the units' states were replaced. The
engine gives the same predictions for less work: everything below the first unit that changes is the
final network's own activation, computed once for all resets.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.func import functional_call

from layer_robustness.models.sequence import UnitSequence, unit_state
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import leave_if_asked

State = Mapping[str, Tensor]
Changes = dict[str, dict[str, Tensor]]  # the new state of each unit that changes


@dataclass(frozen=True)
class Reset:
    """Put the states of `units` back to those of a source.

    Parameters
    ----------
    units
        Names of units; several of them are a joint reset.
    state
        State of the whole network at the source, on the probed network's device.
    """

    units: frozenset[str]
    state: State


@dataclass(frozen=True)
class Outcome:
    """Predictions int64 [R, N] and losses (cross entropy) float64 [R, N], on the CPU.

    The first row is the final network itself, the others are the resets in their order.
    """

    predictions: Tensor
    losses: Tensor


def probe(
    network: UnitSequence,
    resets: Sequence[Reset],
    images: Tensor,
    labels: Tensor,
    micro_batch: int,
    joined: int = 1,
    prepare: Callable[[Tensor], Tensor] = lambda images: images,
) -> Outcome:
    """Evaluate the network under every reset, in one pass over the images.

    Parameters
    ----------
    network
        The final network; it is left in evaluation mode.
    images, labels
        Inputs [N, ...] and classes int64 [N], anywhere.
    micro_batch
        Images that pass through the network at a time; it limits the memory.
    joined
        How many resets of the same first unit share one batch. On a CPU 1 is fastest and gives
        bit for bit the logits of the plain loop; on a GPU more of them save kernel launches.
    prepare
        Turns a micro-batch of `images` into what the network takes, on its device; so pixels can
        stay bytes, even on disk, until they are needed.

    Raises
    ------
    InputError
        If a reset does not fit the network, or a unit of the final network changes its input in
        place or outputs NaN.
    """
    parts = list(outcomes(network, resets, images, labels, micro_batch, joined, prepare))
    return Outcome(
        torch.cat([part.predictions for part in parts], 1),
        torch.cat([part.losses for part in parts], 1),
    )


@torch.inference_mode()
def outcomes(
    network: UnitSequence,
    resets: Sequence[Reset],
    images: Tensor,
    labels: Tensor,
    micro_batch: int,
    joined: int = 1,
    prepare: Callable[[Tensor], Tensor] = lambda images: images,
) -> Iterator[Outcome]:
    """Yield the outcome of each micro-batch; see `probe`."""
    network.eval()
    final = dict(network.state_dict())
    of_first_unit = defaultdict(list)
    for row, reset in enumerate(resets, 1):
        changed = changed_units(network, reset, final)
        of_first_unit[next(iter(changed), None)].append((row, changed))
    parts = zip(images.split(micro_batch), labels.split(micro_batch), strict=True)
    for number, (pixels, expected) in enumerate(parts):
        predictions = torch.empty(len(resets) + 1, len(expected), dtype=torch.int64)
        losses = torch.empty(len(resets) + 1, len(expected), dtype=torch.float64)
        activation = prepare(pixels)
        expected = expected.to(activation.device)
        for rows, logits in pass_through(network, of_first_unit, activation, joined, number == 0):
            loss = nn.functional.cross_entropy(logits, expected.repeat(len(rows)), reduction="none")
            predictions[rows] = logits.argmax(1).view(len(rows), -1).cpu()
            losses[rows] = loss.view(len(rows), -1).double().cpu()
        for row, _ in of_first_unit[None]:  # a source that equals the final weights costs nothing
            predictions[row], losses[row] = predictions[0], losses[0]
        yield Outcome(predictions, losses)


def pass_through(
    network: UnitSequence,
    of_first_unit: Mapping[str, Sequence[tuple[int, Changes]]],
    activation: Tensor,
    joined: int,
    check: bool,
) -> Iterator[tuple[list[int], Tensor]]:
    """Yield rows and their logits, one after the other, of the resets that begin at each unit.

    Row 0 is the network without a reset. With `check`, each unit is checked: it must not change
    its input in place, nor output NaN. Once is enough, so only the first micro-batch does.
    """
    for name, unit in network.units():
        leave_if_asked()
        before = activation.clone() if check else activation
        if starting := of_first_unit.get(name):
            logits = [
                suffix(network, name, [changed for _, changed in group], activation)
                for group in chunks(starting, joined)
            ]
            yield [row for row, _ in starting], torch.cat(logits)
        output = unit(activation)
        if check and not torch.equal(before, activation):
            raise InputError(f"unit {name} changes its input in place: set inplace=False in it")
        if (check or name == network.unit_names[-1]) and output.isnan().any():
            raise InputError(
                f"unit {name} outputs NaN for some images, so nothing can be predicted: "
                "train the network again, with a lower learning_rate or in float32"
            )
        activation = output
    yield [0], activation


def changed_units(network: UnitSequence, reset: Reset, final: State) -> Changes:
    """States of the reset's units, first to last, except those that equal the final network's."""
    if unknown := sorted(reset.units - set(network.unit_names)):
        raise InputError(
            f"unit {unknown[0]!r} is unknown; the network's are {', '.join(network.unit_names)}"
        )
    changed = {}
    for unit in (name for name in network.unit_names if name in reset.units):
        state, own = unit_state(reset.state, unit), unit_state(final, unit)
        if state.keys() != own.keys():
            raise InputError(
                f"the state to reset unit {unit} to has other tensors than the unit: expected "
                f"{', '.join(own)}, each under {unit}."
            )
        if any(not torch.equal(tensor, own[name]) for name, tensor in state.items()):
            changed[unit] = state
    return changed


def suffix(
    network: UnitSequence,
    first: str,
    changes: Sequence[Changes],
    activation: Tensor,
) -> Tensor:
    """Run from unit `first` on, once for each entry of `changes`: logits, one after the other."""
    names = network.unit_names
    count = len(changes)
    activations = torch.cat([activation] * count) if count > 1 else activation
    for name in names[names.index(first) :]:
        unit = network.get_submodule(name)
        if any(name in changed for changed in changes):
            parts = zip(changes, activations.chunk(count), strict=True)
            outputs = [
                functional_call(unit, changed[name], (part,)) if name in changed else unit(part)
                for changed, part in parts
            ]
            activations = torch.cat(outputs) if count > 1 else outputs[0]
        else:
            activations = unit(activations)
    return activations


def chunks(items: Sequence, size: int) -> Iterator[Sequence]:
    """Cut a sequence into pieces of at most `size`."""
    return (items[start : start + size] for start in range(0, len(items), size))


@torch.inference_mode()
def largest_activation(network: UnitSequence, image: Tensor) -> int:
    """Bytes of the largest module output for one image [1, ...]."""
    network.eval()  # or the image would count in the running statistics
    sizes = [image.nbytes]
    hooks = [
        module.register_forward_hook(lambda _, __, output: sizes.append(output.nbytes))
        for module in network.modules()
    ]
    network(image)
    for hook in hooks:
        hook.remove()
    return max(sizes)


def fitting_micro_batch(
    network: UnitSequence, image: Tensor, memory: int, largest: int, joined: int
) -> int:
    """Images per micro-batch, at most `largest`, whose activations stay inside `memory` bytes.

    These are in memory at once: the activation below the first reset unit; and for every joined
    reset a unit's input and output, and the two activations that a residual block holds.
    """
    per_image = largest_activation(network, image) * (1 + 4 * joined)
    return max(1, min(largest, memory // per_image))

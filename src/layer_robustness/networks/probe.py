"""Ask of any trained classifier which of its units can be reset without harm."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import nn

from layer_robustness.networks.cut import cut
from layer_robustness.networks.inputs import Data, batches_of
from layer_robustness.networks.measures import MEASURES
from layer_robustness.networks.resets import Probe
from layer_robustness.networks.result import Result
from layer_robustness.networks.sources import States, make_sources
from layer_robustness.networks.tensors import State, named_tensors
from layer_robustness.runtime.devices import choose
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.precision import arithmetic

GIGABYTE = 10**9


@bounded_by("memory_gb")
def probe_network(
    model: nn.Module,
    data: Data,
    initial: State | nn.Module | None = None,
    fresh: Callable[[], nn.Module] | Sequence[State] | None = None,
    units: str | Sequence[str] = "block",
    sources: Sequence[str] | None = None,
    draws: int = 1,
    measures: Sequence[str] = MEASURES,
    states: Mapping[str, State] | None = None,
    device: str = "auto",
    memory_gb: float = 2,
    precision: str = "float32",
) -> Result:
    """Reset every unit of a trained classifier to every source, and test it each time.

    Predictions are those of a full pass of the reset network, for less work: see `replay`. The
    model is left as it was.

    Parameters
    ----------
    model
        Takes a batch of images and puts out logits [N, classes].
    data
        A DataLoader, a pair (images [N, ...], labels [N]), or a folder with a folder of images for
        each class.
    initial
        The model's state before it was trained, for the sources `reinit` and `interpolate:a`.
    fresh
        Builds the model anew, for the sources `rerand` and `rescaled`; or states of fresh models,
        at least as many as `draws`.
    units
        `stage`, `block`, `leaf` or patterns of names: see `cut.cut`.
    sources
        Of `reinit`, `rerand`, `shuffle`, `rescaled`, `zero`, `interpolate:a` and names of `states`;
        otherwise `reinit` and `rerand` where they can be, `shuffle`, and all `states`.
    draws
        Of each source that has to do with chance.
    measures
        Some of `error` (always there), `loss`, `agreement`, `kl`, `cosine`.
    states
        Other states of the model, such as checkpoints, by names.
    device
        `cpu`, `cuda`, or `auto`: a GPU where there is one.
    memory_gb
        For what a clean pass keeps of the images that are looked at together.
    precision
        Of the arithmetic: float32, float64, tf32 or bf16.

    Raises
    ------
    InputError
        In one line, if something given does not fit the rest.
    """
    if unknown := sorted(set(measures) - set(MEASURES)):
        raise InputError(f"measure {unknown[0]!r} is unknown: expected {', '.join(MEASURES)}")
    if draws < 1:
        raise InputError(f"draws is {draws}: expected 1 or more")
    with in_evaluation(model, choose(device)) as where, arithmetic(precision, where):
        known = initial.state_dict() if isinstance(initial, nn.Module) else initial
        prepared = States(model, known, fresh, states or {})
        if sources is None:
            possible = {"reinit": initial, "rerand": fresh, "shuffle": model}
            sources = [name for name, needed in possible.items() if needed is not None]
            sources += prepared.named
        made = make_sources(sources, draws, prepared)
        probe = Probe(model, cut(model, units), made, int(memory_gb * GIGABYTE))
        probe.run(batches_of(data, model), where)
        return probe.result(tuple(name for name in MEASURES if name in {"error", *measures}))


@contextmanager
def in_evaluation(model: nn.Module, device: torch.device) -> Iterator[torch.device]:
    """Hold the model in evaluation mode on a device inside the block."""
    tensors = list(named_tensors(model).values())
    home = tensors[0].device if tensors else device
    training = [module for module in model.modules() if module.training]
    try:
        model.to(device).eval()
        yield device
    finally:
        model.to(home)
        for module in training:
            module.training = True

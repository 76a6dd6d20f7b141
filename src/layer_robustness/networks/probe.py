"""Ask of any trained classifier which of its units can be reset without harm."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from os import PathLike
from pathlib import Path

import torch
from torch import Tensor, nn
from tqdm import tqdm

from layer_robustness.networks import inputs
from layer_robustness.networks.inputs import Batches, Data, batches_of
from layer_robustness.networks.layout import LAYOUTS, lay_out, layout_kept
from layer_robustness.networks.pace import AUTO, Pace
from layer_robustness.networks.progress import measurement, restore, state
from layer_robustness.networks.result import Result
from layer_robustness.networks.rows import result_of
from layer_robustness.probing.cut import Units, cut
from layer_robustness.probing.engine import CHECKED, Engine, Reset
from layer_robustness.probing.measurement import Measurement
from layer_robustness.probing.measures import MEASURES, Tally
from layer_robustness.probing.replay import logits_of
from layer_robustness.probing.sources import States, make_sources
from layer_robustness.probing.tensors import State, named_tensors
from layer_robustness.runtime.allocator import freed_memory_kept
from layer_robustness.runtime.devices import chosen
from layer_robustness.runtime.errors import InputError, in_one_line
from layer_robustness.runtime.memory import bounded_by, ran_out
from layer_robustness.runtime.precision import PRECISIONS, arithmetic, rounding_kept

GIGABYTE = 10**9


@bounded_by("memory_gb or draws")
def probe_network(
    model: nn.Module,
    data: Data,
    initial: State | nn.Module | None = None,
    fresh: Callable[[], nn.Module] | Sequence[State] | None = None,
    units: Units = "block",
    sources: Sequence[str] | None = None,
    draws: int = 1,
    measures: Sequence[str] = MEASURES,
    states: Mapping[str, State] | None = None,
    device: str | torch.device = "auto",
    memory_gb: float = 2,
    precision: str = "float32",
    keep: str | PathLike | None = None,
    layout: str = AUTO,
) -> Result:
    """Reset every unit of a trained classifier to every source, and test it each time.

    Predictions are those of a full pass of the reset network, for less work: see `replay`. The
    model is left as it was.

    Raises `InputError`, in one line, if something given does not fit the rest.

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
        `stage`, `block`, `leaf`, patterns of names, or units with the patterns of each: see
        `cut.cut`.
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
        `cpu`, `cuda`, `cuda:N`, or `auto`: a GPU where there is one. Without a number it is the
        model's own GPU, if it lies on one.
    memory_gb
        For what a clean pass keeps of the images that are looked at together. The weights of all
        resets wait in the CPU's memory besides: those of the model, for each draw of a source.
    precision
        Of the arithmetic: float32, float64 (of weights that have that type), tf32 or bf16.
    keep
        A file for what is counted, written every ten seconds; a probe of the same network, resets
        and images goes on from there. The data then is a folder or a pair of tensors.
    layout
        Of the weights of convolutions in memory: `contiguous`, `channels_last`, or `auto`, the
        faster one. The model has its own again afterwards.
    """
    for name, given in (("units", units), ("sources", sources)):
        if given is not None and not given:
            raise InputError(f"{name} is empty: expected at least one")
    if unknown := sorted(set(measures) - set(MEASURES)):
        raise InputError(f"measure {unknown[0]!r} is unknown: expected {', '.join(MEASURES)}")
    if draws < 1:
        raise InputError(f"draws is {draws}: expected 1 or more")
    if layout not in (AUTO, *LAYOUTS):
        raise InputError(f"layout is {layout!r}: expected {', '.join([AUTO, *LAYOUTS])}")
    if precision not in PRECISIONS:
        raise InputError(f"precision is {precision!r}: expected {', '.join(PRECISIONS)}")
    check_model(model, precision)
    with (
        rounding_kept(),
        torch.inference_mode(False),  # its tensors keep no versions
        chosen(str(device), home_of(model)) as where,
        in_evaluation(model, where),
        arithmetic(precision, where),
    ):
        known = initial.state_dict() if isinstance(initial, nn.Module) else initial
        prepared = States(model, known, fresh, states or {})
        if sources is None:
            possible = {"reinit": initial, "rerand": fresh, "shuffle": model}
            sources = [name for name, needed in possible.items() if needed is not None]
            sources += prepared.named
        made = make_sources(sources, draws, prepared)
        taken = cut(model, units)
        resets = [
            Reset(unit, own, made_one) for unit, own in taken.units.items() for made_one in made
        ]
        engine = Engine(model, taken.modules, resets, len(made) if where.type == "cuda" else 1)
        tally = Tally(len(resets), measures)
        batches = batches_of(data, model)
        how = where.type, precision, layout
        kept = measurement(Path(keep), engine, tally, batches, *how) if keep else None
        pace = Pace(engine, layout, inputs.count(batches), where)
        on_cpu = where.type == "cpu"
        with layout_kept(model), freed_memory_kept() if on_cpu else nullcontext():
            evaluate(engine, tally, pace, batches, int(memory_gb * GIGABYTE), kept)
        return result_of(engine, tally, pace, taken.parts)


def evaluate(
    engine: Engine,
    tally: Tally,
    pace: Pace,
    batches: Batches,
    memory: int,
    kept: Measurement | None = None,
) -> None:
    """Count all resets in one pass over the images, from where an earlier process was stopped."""
    done, counted = kept.load() if kept else (0, {})
    if counted:
        restore(engine, tally, pace, counted, memory)
        lay_out(engine, pace.layout)
    # At a terminal only; it goes to stderr and tells the time that is left.
    with tqdm(total=inputs.count(batches), initial=done, unit="image", disable=None) as bar:
        sizes = (pace.size or CHECKED for _ in itertools.count())
        rest = inputs.after(batches, done)
        for pixels, labels in inputs.micro_batches(rest, pace.device, sizes):
            if not engine.classes:
                check_images(engine.network, pixels)
                pace.begin(pixels)
                pace.allow(engine.begin(pixels, memory))
                inputs.check_classes(batches, engine.classes)
            inputs.check_labels(labels, engine.classes)
            started = pace.now()
            tally.add(engine.logits(pixels), labels)
            pace.took(len(labels), pace.now() - started)
            bar.update(len(labels))
            done += len(labels)
            if kept:
                kept.keep(done, state(engine, tally, pace))
    if not engine.classes:
        raise InputError("data: there are no images")


def check_images(network: nn.Module, images: Tensor) -> None:
    """Refuse images that the network cannot take."""
    try:
        logits_of(network, images.clone())
    except Exception as error:  # a forward may raise anything
        if isinstance(error, InputError) or ran_out(error):
            raise
        shape = "x".join(map(str, images.shape[1:]))
        raise InputError(
            f"the network does not take images of {shape} ({in_one_line(error)}): expected images "
            "as it was trained on; --input-size gives the command line their shape"
        ) from error


def check_model(model: nn.Module, precision: str) -> None:
    """Refuse a model whose calls or weights cannot be exchanged, or have another precision."""
    if not isinstance(model, nn.Module):
        raise InputError(f"model is a {type(model).__name__}: expected an nn.Module")
    for name, module in model.named_modules():
        if hasattr(module, "_orig_mod") or getattr(module, "_compiled_call_impl", None):
            raise InputError(
                f"{name or 'the model'} is compiled: expected modules as they were before "
                "torch.compile, which keeps them as ._orig_mod"
            )
    if any(tensor.is_inference() for tensor in named_tensors(model).values()):
        raise InputError("the model was built inside torch.inference_mode: build it outside")
    weights = next(model.parameters(), torch.zeros(0, dtype=torch.float64)).dtype
    if precision == "float64" and weights != torch.float64:
        raise InputError(
            f"precision is float64, but the weights are {weights}: call model.double(), and give "
            "images of that type"
        )


def home_of(model: nn.Module) -> torch.device:
    """Where a model lies; one without tensors is on the CPU."""
    return next(iter(named_tensors(model).values()), torch.zeros(0)).device


@contextmanager
def in_evaluation(model: nn.Module, device: torch.device) -> Iterator[None]:
    """Hold the model in evaluation mode on a device inside the block."""
    home = home_of(model)
    training = [module for module in model.modules() if module.training]
    try:
        model.to(device).eval()
        yield
    finally:
        model.to(home)
        for module in training:
            module.training = True

"""A probe that was stopped goes on where it was."""

import inspect
import linecache
import re
from collections.abc import Mapping
from pathlib import Path

import timm
import torch
import torchvision
from torch import Tensor, nn

from layer_robustness.networks import inputs
from layer_robustness.networks.inputs import Batches
from layer_robustness.networks.layout import LAYOUTS
from layer_robustness.networks.pace import Pace
from layer_robustness.probing.engine import FULL_PASS, Engine
from layer_robustness.probing.measurement import Measurement
from layer_robustness.probing.measures import Tally
from layer_robustness.runtime.code import code_digest
from layer_robustness.storage.tensorfile import digest, fingerprint


def measurement(
    path: Path, engine: Engine, tally: Tally, batches: Batches, *how: str
) -> Measurement:
    """Return what keeps the numbers of a probe in a file.

    It is not of another probe: the network, all values of resets, images, code and `how`
    everything is computed count.
    """
    weights = digest(engine.replay.weights.tensors, {})
    resets = [
        [reset.unit, reset.source.name, str(reset.source.draw), digest(reset.values, {})]
        for reset in engine.resets
    ]
    depends = [computed_by(engine.network), weights, resets, list(tally.sums)]
    depends += [inputs.identity(batches), code_digest("network"), *how]
    return Measurement(path, fingerprint(*depends), inputs.count(batches) or 0)


def computed_by(network: nn.Module) -> list:
    """Tell what a network computes with its weights: options, code and versions of libraries.

    Its logits would tell less: a unit that is switched off shows only once it is reset. Functions
    that lie in other files than the classes of modules are not seen.
    """
    kinds = {kind for module in network.modules() for kind in type(module).__mro__}
    functions = [own for kind in kinds for own in vars(kind).values() if inspect.isfunction(own)]
    files = {function.__code__.co_filename for function in functions}
    of_every_module = vars(nn.Module())
    modules = []
    for name, module in network.named_modules():
        own = {key: value for key, value in vars(module).items() if key not in of_every_module}
        # Where an object lies in memory is another place each time.
        modules.append([name, type(module).__qualname__, re.sub("0x[0-9a-f]+", "", repr(own))])
    versions = [library.__version__ for library in (torch, torchvision, timm)]
    return [versions, modules, sorted("".join(linecache.getlines(file)) for file in files)]


def state(engine: Engine, tally: Tally, pace: Pace) -> dict[str, Tensor]:
    """Return all that was counted and found out so far."""
    return {
        **tally.tensors(),
        "order": torch.tensor([reset.order for reset in engine.resets]),
        "full_pass": torch.tensor([reset.engine == FULL_PASS for reset in engine.resets]),
        "joins": torch.tensor([reset.joins for reset in engine.resets]),
        "looked_at": torch.tensor([engine.classes, engine.image_bytes]),
        "pace": torch.tensor([list(LAYOUTS).index(pace.layout), pace.size]),
    }


def restore(
    engine: Engine, tally: Tally, pace: Pace, kept: Mapping[str, Tensor], memory: int
) -> None:
    """Go on from a state, within so many bytes: they may be fewer than before."""
    counted = dict(kept)
    each = (counted.pop(name).tolist() for name in ("order", "full_pass", "joins"))
    for reset, order, full_pass, joins in zip(engine.resets, *each, strict=True):
        reset.order, reset.joins = order, joins
        reset.engine = FULL_PASS if full_pass else reset.engine
    engine.classes, engine.image_bytes = counted.pop("looked_at").tolist()
    layout, pace.size = counted.pop("pace").tolist()
    pace.layout = list(LAYOUTS)[layout]
    pace.allow(engine.fitting(memory))
    tally.restore(counted)

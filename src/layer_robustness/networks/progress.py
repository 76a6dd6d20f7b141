"""A probe that was stopped goes on where it was."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from layer_robustness.networks import inputs
from layer_robustness.networks.inputs import Batches
from layer_robustness.networks.layout import LAYOUTS
from layer_robustness.networks.pace import Pace
from layer_robustness.probing.engine import FULL_PASS, Engine
from layer_robustness.probing.measurement import Measurement
from layer_robustness.probing.measures import Tally
from layer_robustness.runtime.code import code_digest
from layer_robustness.storage.tensorfile import digest


def measurement(
    path: Path, engine: Engine, tally: Tally, batches: Batches, *how: str
) -> Measurement:
    """Return what keeps the numbers of a probe in a file.

    It is not of another probe: weights and all values of resets count, images, code, and `how`
    everything is computed.
    """
    weights = digest(engine.replay.weights.tensors, {})
    resets = [
        [reset.unit, reset.source.name, str(reset.source.draw), digest(reset.values, {})]
        for reset in engine.resets
    ]
    text = json.dumps(
        [weights, resets, list(tally.sums), inputs.identity(batches), torch.__version__, *how]
    )
    fingerprint = hashlib.sha256(f"{code_digest('probe')} {text}".encode()).hexdigest()
    return Measurement(path, fingerprint, inputs.count(batches) or 0)


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

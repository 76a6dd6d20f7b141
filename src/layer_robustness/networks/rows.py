"""From what was counted to the rows of a result."""

from collections.abc import Iterable, Mapping

import pandas as pd
from torch import nn

from layer_robustness.networks.pace import Pace
from layer_robustness.networks.result import TRAINED, Result
from layer_robustness.probing.engine import Engine
from layer_robustness.probing.measures import Tally


def result_of(engine: Engine, tally: Tally, pace: Pace, parts: Mapping[str, list[str]]) -> Result:
    """Return the rows of all resets, units in the order in which they are called.

    Of what `parts` each unit is made: see `Cut`.
    """
    tensors = engine.replay.weights.tensors

    def row(number: int, unit: str, source: str, draw: int, names: Iterable[str]) -> dict:
        own = {id(tensors[name]): tensors[name] for name in names}  # some have two names
        parameters = [tensor for tensor in own.values() if isinstance(tensor, nn.Parameter)]
        return {
            "unit": unit,
            "source": source,
            "draw": draw,
            **tally.means(number),
            "images": tally.missed.shape[1],
            "parameters": sum(parameter.numel() for parameter in parameters),
            "order": 0,
            "engine": "clean pass",
            "precision": str(next(engine.network.parameters()).dtype).removeprefix("torch."),
            "classes": engine.classes,
        }

    rows = []
    for number, reset in enumerate(engine.resets, 1):
        first = row(number, reset.unit, reset.source.name, reset.source.draw, reset.names)
        rows.append(first | {"order": reset.order, "engine": reset.engine})
    rows.sort(key=lambda each: each["order"])
    frame = pd.DataFrame([row(0, TRAINED, TRAINED, 0, tensors), *rows])
    made_of = {each["unit"]: parts[each["unit"]] for each in rows}
    micro_batch = min(pace.size, tally.missed.shape[1])
    return Result(frame, made_of, engine.classes, pace.layout, micro_batch)

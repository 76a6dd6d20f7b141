"""What was measured of a network: rows, a heatmap, and which units are critical."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from torch import nn

from layer_robustness.networks.heatmap import draw
from layer_robustness.paper.criticality import CRITICAL, chance, cost, is_trained
from layer_robustness.probing.engine import Engine
from layer_robustness.probing.measures import Tally

TRAINED = "trained"


@dataclass(frozen=True)
class Result:
    """The outcome of a probe.

    frame
        A row for each unit, source and draw, in the order in which units are called. The first is
        the trained network itself; unit and source are `trained`. `order` is the number of calls
        before the unit's own, `engine` says how logits were computed.
    units
        Names of modules or tensors that a unit is made of.
    classes
        Number of the network's outputs.
    """

    frame: pd.DataFrame
    units: dict[str, list[str]]
    classes: int

    @property
    def resets(self) -> pd.DataFrame:
        """The rows of `frame` without the trained network's."""
        return self.frame.iloc[1:]

    def heatmap(self, path: str | Path, measure: str = "error") -> None:
        """Draw a measure, mean over draws, units by sources, into `path`.pdf and .png."""
        draw(self.resets, measure, float(self.frame[measure].iloc[0]), Path(path))

    def costs(self, source: str) -> dict[str, float]:
        """Part of the way from the network's own error to chance that resets of a unit cost.

        Mean over draws; the largest first.
        """
        rows = self.resets[self.resets["source"] == source]
        full = float(self.frame["error"].iloc[0])
        errors = rows.groupby("unit", sort=False)["error"].mean().to_dict()
        costs = {unit: cost(float(error), full, self.chance) for unit, error in errors.items()}
        return dict(sorted(costs.items(), key=lambda item: -item[1]))

    def summary(self) -> str:
        """Say in some lines which units are critical to which source."""
        full, images = self.frame["error"].iloc[0], self.frame["images"].iloc[0]
        lines = [f"Test error {full:.3f} on {images} images; guessing errs at {self.chance:.3f}."]
        if not is_trained(full, self.chance):
            return f"{lines[0]} The network learned too little for a reset to cost something.\n"
        lines.append(f"A unit is critical if its reset costs over {CRITICAL} of the way between.")
        for source in self.resets["source"].unique():
            costs = self.costs(source)
            critical = [
                f"{unit} ({value:.2f})" for unit, value in costs.items() if value > CRITICAL
            ]
            named = ", ".join(critical) or "none"
            lines.append(f"Critical to {source}, {len(critical)} of {len(costs)} units: {named}.")
        return "\n".join(lines) + "\n"

    @property
    def chance(self) -> float:
        """Test error of guessing."""
        return chance(self.classes)


def result_of(engine: Engine, tally: Tally, parts: Mapping[str, list[str]]) -> Result:
    """Return the rows of all resets, units in the order in which they are called.

    Parameters
    ----------
    parts
        What each unit is made of: see `Cut`.
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
        }

    rows = []
    for number, reset in enumerate(engine.resets, 1):
        first = row(number, reset.unit, reset.source.name, reset.source.draw, reset.names)
        rows.append(first | {"order": reset.order, "engine": reset.engine})
    rows.sort(key=lambda each: each["order"])
    frame = pd.DataFrame([row(0, TRAINED, TRAINED, 0, tensors), *rows])
    return Result(frame, {each["unit"]: parts[each["unit"]] for each in rows}, engine.classes)

"""What was measured of a network: rows, a heatmap, and which units are critical."""

import math
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from layer_robustness.figures import style
from layer_robustness.networks.heatmap import drawn
from layer_robustness.paper.criticality import CRITICAL, chance, cost, is_trained
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage import frames
from layer_robustness.storage.files import remedy

TRAINED = "trained"
COLUMNS = {"unit": str, "source": str, "draw": int, "images": int, "classes": int}
COLUMNS |= {"error": float, "loss": float}


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
    layout, micro_batch
        Of the weights in memory, and how many images at most went through at once in the end: see
        `pace`.
    """

    frame: pd.DataFrame
    units: dict[str, list[str]]
    classes: int
    layout: str = ""
    micro_batch: int = 0

    @classmethod
    def read(cls, path: Path) -> "Result":
        """Read a probe.csv, which does not say what units are made of.

        Raises `InputError` if the file is missing or is no such table.
        """
        frame = frames.read(path, COLUMNS)
        if frame.empty or frame["source"].iloc[0] != TRAINED or len(frame) == 1:
            raise InputError(f"{path} is not of a probe of a network: {remedy(path)}")
        return cls(frame, {}, int(frame["classes"].iloc[0]))

    @property
    def resets(self) -> pd.DataFrame:
        """The rows of `frame` without the trained network's."""
        return self.frame.iloc[1:]

    def heatmap(self, path: str | Path, measure: str = "error") -> None:
        """Draw a measure, mean over draws, units by sources, into `path`.pdf and .png.

        A path may have either ending itself; any other dot belongs to the name.
        """
        means = self.resets.groupby(["unit", "source"], sort=False)[measure].mean()
        cells = means.rename("value").reset_index()
        output = Path(path)
        if output.suffix not in (".pdf", ".png"):
            output = output.with_name(f"{output.name}.pdf")
        style.save(drawn(cells, measure, float(self.frame[measure].iloc[0])), output, "")

    def costs(self, source: str) -> dict[str, float]:
        """Part of the way from the network's own error to chance that resets of a unit cost.

        Mean over draws; the largest first.
        """
        rows = self.resets[self.resets["source"] == source]
        costs = self.cost(rows.groupby("unit", sort=False)["error"].mean())
        return costs.sort_values(ascending=False, kind="stable").to_dict()

    def cost(self, errors: pd.Series) -> pd.Series:
        """Part of the way from the network's own error to chance that each error has gone."""
        return cost(errors, float(self.frame["error"].iloc[0]), self.chance)

    @property
    def did_not_train(self) -> bool:
        """Whether its training diverged, so that nothing was measured."""
        return math.isnan(self.frame["error"].iloc[0])

    @property
    def is_trained(self) -> bool:
        """Whether the network learned enough for a reset to cost something."""
        return is_trained(float(self.frame["error"].iloc[0]), self.chance)

    def summary(self) -> str:
        """Say in some lines which units are critical to which source."""
        full, images = self.frame["error"].iloc[0], self.frame["images"].iloc[0]
        if self.did_not_train:
            return "The network did not train: its loss was not finite.\n"
        lines = [f"Test error {full:.3f} on {images} images; {self.chance:.3f} by guessing."]
        if not self.is_trained:
            return f"{lines[0]} The network learned too little for a reset to cost something.\n"
        lines.append(f"A unit is critical if its reset costs over {CRITICAL} of the difference.")
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

"""What was measured of a network: rows, a heatmap, and which units are critical."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from layer_robustness.networks.heatmap import draw
from layer_robustness.paper.criticality import CRITICAL, chance, cost, is_trained

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

"""What each figure of networks beyond the paper shows."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Literal

SECTION = "Beyond the paper"

LABELS = {
    "vit": "ViT",
    "vit_parts": "ViT, its sub-layers",
    "mixer": "MLP-Mixer",
    "convnext": "ConvNeXt",
    "resnet50bn": "ResNet50 +bn",
}
TRAINED = (("vit", "mixer"), ("convnext", "resnet50bn"))


@dataclass(frozen=True)
class BeyondFigure:
    """One figure.

    name
        Of target and files: figureB1, networks, networks/vit.
    kind
        The module of this package that draws it.
    rows
        Entries of the config's section `beyond`, a panel each, in rows from the top.
    caption
        What follows the title, in Markdown.
    """

    name: str
    kind: Literal["heatmaps", "controls", "barriers", "overview", "single"]
    title: str
    rows: tuple[tuple[str, ...], ...]
    caption: str

    @property
    def entries(self) -> tuple[str, ...]:
        """All entries that it shows."""
        return tuple(entry for row in self.rows for entry in row)

    @property
    def heading(self) -> str:
        """How it is listed: "Figure B1", "networks", "ViT"."""
        name = self.name.rpartition("/")[2]
        return f"Figure {name.removeprefix('figure')}" if name in FIGURES else label(name)

    def of(self, entries: Collection[str]) -> "BeyondFigure":
        """Leave out the panels of other entries."""
        rows = (tuple(entry for entry in row if entry in entries) for row in self.rows)
        return replace(self, rows=tuple(filter(None, rows)))


FIGURES = {
    figure.name: figure
    for figure in (
        BeyondFigure(
            "figureB1",
            "heatmaps",
            "Robustness of the units of networks beyond the paper's",
            (("vit", "mixer"), ("vit_parts", "convnext", "resnet50bn")),
            "Test error after one unit is put back to fresh random values (`rerand`) or to its "
            "own values of an earlier epoch, all other units keeping their final values. Units "
            "are blocks and what lies beside them, in the order in which they are called; the "
            "ViT's `loose` is its position embedding. Its sub-layers are those of the same "
            "trained network. The paper has neither a ViT, a Mixer nor a ConvNeXt; the residual "
            "network is its ResNet50 with batch normalization.",
        ),
        BeyondFigure(
            "figureB2",
            "controls",
            "How much of a unit's cost is the scale of its weights, how much their structure",
            TRAINED,
            "Cost of a reset: the part of the way from the trained network's test error to that "
            "of guessing; right of the dashed line (0.2) a unit counts as critical. `fresh` is a "
            "new draw of the initial law, `rescaled` the same draw with the norm of each trained "
            "tensor, `shuffled` the trained weights, the entries of each tensor in random order. "
            "`zeroed` sets them to 0; nothing passes a unit then that no skip leads around. Where "
            "`rescaled` costs less than `fresh`, the unit needs the scale that training gave it; "
            "what `rescaled` and `shuffled` still cost is structure: which weight is where. These "
            "controls are ours; the paper resets units to fresh and to earlier values only.",
        ),
        BeyondFigure(
            "figureB3",
            "barriers",
            "The line from a unit's initial to its trained weights",
            TRAINED,
            "Test error with one unit at a point of the straight line from its initial (a = 0) to "
            "its trained weights (a = 1), all other units trained. Bars: the unit's barrier, the "
            "most that the cross entropy on the line exceeds the straight line between its values "
            "at the ends; without a bar there is none. Where error falls evenly and there is no "
            "barrier, training has moved the unit within one basin. The line and its barrier are "
            "ours, after work on linear mode connectivity; the paper does not measure them.",
        ),
    )
}


def figures(entries: Collection[str]) -> dict[str, BeyondFigure]:
    """Return the figures that can be drawn of these entries, by name.

    They are those of `FIGURES`, without the panels of other entries, one of each entry, and the
    overview of all.
    """
    drawable = [figure.of(entries) for figure in FIGURES.values()]
    drawable += [
        BeyondFigure(
            f"networks/{entry}",
            "single",
            f"Robustness of the units of {label(entry)}",
            ((entry,),),
            "Test error after one unit is reset, all others as trained; units in the order in "
            "which they are called. `rerand` is a fresh draw, `reinit` the unit's own initial "
            "values, `epoch3` its own values of that epoch; `shuffle`, `rescaled` and `zero` are "
            "controls of ours, and so is the line from the initial (0) to the trained weights (1).",
        )
        for entry in entries
    ]
    drawable.append(
        BeyondFigure(
            "networks",
            "overview",
            "Where the critical units of each network are",
            (tuple(entries),),
            "Each row is a network, each cell one of its units, from the first that is called (0) "
            "to the last (1). The colour is the cost of a reset: the part of the way from the "
            "trained network's test error to that of guessing. Beside a row: units that are "
            "critical (cost over 0.2), of all units. The figure is ours, not the paper's.",
        )
    )
    return {figure.name: figure for figure in drawable if figure.entries}


def label(entry: str) -> str:
    """Name an entry as a figure does."""
    return LABELS.get(entry, entry)

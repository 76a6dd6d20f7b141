"""From a trained experiment to the rows of its probe: error, loss and agreement of each reset."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from layer_robustness.data.dataset import Dataset
from layer_robustness.models.build import placed
from layer_robustness.probing.engine import Outcome, Reset, fitting_micro_batch, outcomes
from layer_robustness.probing.measurement import Measurement
from layer_robustness.runtime.precision import PRECISIONS, arithmetic, computed_in
from layer_robustness.storage.bits import MISSED
from layer_robustness.training.trained import Source, TrainedNetwork

FULL_MODEL = "fullmodel"


@dataclass(frozen=True)
class Limits:
    """What a probe may use: bytes of memory, and the most images at once."""

    memory: int
    micro_batch: int = 250  # more are no faster on a CPU


@dataclass
class Tally:
    """What was counted over some test images, for the final network and each reset: all [R + 1].

    missed
        bool [R + 1, N], images that are classified wrong.
    agreeing
        int64, predictions that are the final network's own.
    losses
        float64, sum of cross entropies.
    """

    missed: Tensor
    agreeing: Tensor
    losses: Tensor

    @classmethod
    def of_nothing(cls, rows: int) -> "Tally":
        """Return the tally of no image."""
        nothing = torch.zeros(rows, 0, dtype=torch.bool), torch.zeros(rows, dtype=torch.int64)
        return cls(*nothing, torch.zeros(rows, dtype=torch.float64))

    def add(self, outcome: Outcome, labels: Tensor) -> None:
        """Count a micro-batch of images with labels int64 [N]."""
        self.missed = torch.cat([self.missed, outcome.predictions != labels], 1)
        self.agreeing += (outcome.predictions == outcome.predictions[0]).sum(1)
        self.losses += outcome.losses.sum(1)


def reset_rows(
    trained: TrainedNetwork,
    dataset: Dataset,
    groups: Mapping[str, Sequence[str]],
    limits: Limits,
    name: str,
) -> Iterator[dict]:
    """Yield a row for each group of units and each source.

    What was counted so far is kept (see `measurement`) after each micro-batch of images, as all
    resets share the final network's activations of a micro-batch.

    error, loss
        Test error (fraction wrong) and mean cross entropy of the final network with the group's
        units reset to the source.
    agreement
        Fraction of test images that get the final network's own prediction.
    precision
        What the three were computed in. They are NaN for a network that diverged.
    missed
        Which images are classified wrong: bool [N], none for a network that diverged.

    Parameters
    ----------
    dataset
        On the device to compute on.
    name
        Of the file that the rows are for, without its `.csv`.
    """
    cells = [(group, source) for group in groups for source in trained.sources]
    tally = None if trained.diverged else count(trained, dataset, groups, cells, limits, name)
    images = len(dataset.test_labels)
    for row, (group, (source, draw)) in enumerate(cells, 1):
        yield {
            "unit": group,
            "source": source,
            "draw": draw,
            **measures(tally, row, images),
            "images": images,
            "precision": computed_in(trained.manifest.recipe.precision, dataset.device),
            MISSED: torch.zeros(0) if tally is None else tally.missed[row],
        }


def measures(tally: Tally | None, row: int, images: int) -> dict[str, float]:
    """Return what was measured of a row, as means over images."""
    if tally is None:
        return dict.fromkeys(("error", "loss", "agreement"), math.nan)
    return {
        "error": int(tally.missed[row].sum()) / images,
        "loss": float(tally.losses[row]) / images,
        "agreement": int(tally.agreeing[row]) / images,
    }


def count(
    trained: TrainedNetwork,
    dataset: Dataset,
    groups: Mapping[str, Sequence[str]],
    cells: Sequence[tuple[str, Source]],
    limits: Limits,
    name: str,
) -> Tally:
    """Evaluate resets on all test images, from where an earlier process was stopped.

    Parameters
    ----------
    cells
        A group and a source for each reset.
    """
    precision = trained.manifest.recipe.precision
    weights = PRECISIONS[precision].weights
    device, labels = dataset.device, dataset.test_labels.cpu()
    shape = dataset.image_shape
    network = placed(trained.network, trained.experiment.network, shape, device, weights)
    final = network.state_dict()
    states = {
        source: {part: tensor.to(final[part]) for part, tensor in trained.state(*source).items()}
        for source in dict.fromkeys(source for _, source in cells)
    }
    resets = [Reset(frozenset(groups[group]), states[source]) for group, source in cells]

    def prepare(images: Tensor) -> Tensor:
        return dataset.normalize(images.to(device), weights)

    joined = len(states) if device.type == "cuda" else 1
    with arithmetic(precision, device):
        micro_batch = fitting_micro_batch(
            network, prepare(dataset.test_images[:1]), limits.memory, limits.micro_batch, joined
        )
        units = [sorted(reset.units) for reset in resets]
        total = len(labels)
        measurement = Measurement.of(trained, "probe", device, total, name, units, micro_batch)
        done, kept = measurement.load()
        tally = Tally(**kept) if kept else Tally.of_nothing(len(resets) + 1)
        if done == total:
            return tally
        images, labels = dataset.test_images[done:], labels[done:]
        parts = outcomes(network, resets, images, labels, micro_batch, joined, prepare)
        for outcome, expected in zip(parts, labels.split(micro_batch), strict=True):
            tally.add(outcome, expected)
            done += len(expected)
            measurement.keep(done, asdict(tally))
    return tally

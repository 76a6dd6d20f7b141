"""From a trained experiment to the rows of its probe: error, loss and agreement of each reset."""

import math
from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from layer_robustness.data.dataset import Dataset
from layer_robustness.models.build import placed
from layer_robustness.models.units import unit_modules
from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import CHECKED, Engine, Reset
from layer_robustness.probing.measurement import Measurement
from layer_robustness.probing.measures import Tally
from layer_robustness.probing.sources import States, make_sources
from layer_robustness.runtime.precision import PRECISIONS, arithmetic, computed_in
from layer_robustness.storage.bits import MISSED
from layer_robustness.training.trained import TrainedNetwork

FULL_MODEL = "fullmodel"
COUNTED = ("error", "loss", "agreement")


def reset_rows(
    trained: TrainedNetwork,
    dataset: Dataset,
    groups: Mapping[str, Sequence[str]],
    memory: int,
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

    The dataset is on the device to compute on. Activations may take `memory` bytes. The file that
    the rows are for is called `name`.csv.
    """
    cells = [(group, source) for group in groups for source in trained.sources]
    tally = None if trained.diverged else count(trained, dataset, groups, memory, name)
    for row, (group, (source, draw)) in enumerate(cells, 1):
        yield {
            "unit": group,
            "source": source,
            "draw": draw,
            **(dict.fromkeys(COUNTED, math.nan) if tally is None else tally.means(row)),
            "images": len(dataset.test_labels),
            "precision": computed_in(trained.manifest.recipe.precision, dataset.device),
            MISSED: torch.zeros(0) if tally is None else tally.missed[row],
        }


def count(
    trained: TrainedNetwork,
    dataset: Dataset,
    groups: Mapping[str, Sequence[str]],
    memory: int,
    name: str,
) -> Tally:
    """Evaluate resets on all test images, from where an earlier process was stopped."""
    precision = trained.manifest.recipe.precision
    device, labels, total = dataset.device, dataset.test_labels, len(dataset.test_labels)

    def prepared(start: int, count: int) -> Tensor:
        images = dataset.test_images[start : start + count].to(device)
        return dataset.normalize(images, PRECISIONS[precision].weights)

    with arithmetic(precision, device):
        engine = engine_of(trained, dataset, groups)
        size = engine.begin(prepared(0, CHECKED), memory, checked=False)
        names = [sorted(units) for units in groups.values() for _ in trained.sources]
        measurement = Measurement.of(trained, "probe", device, total, name, names, size)
        done, kept = measurement.load()
        tally = Tally(len(engine.resets), COUNTED)
        tally.restore(kept)
        for start in range(done, total, size):
            expected = labels[start : start + size].to(device)
            tally.add(engine.logits(prepared(start, size)), expected)
            measurement.keep(start + len(expected), tally.tensors())
    return tally


def engine_of(
    trained: TrainedNetwork, dataset: Dataset, groups: Mapping[str, Sequence[str]]
) -> Engine:
    """Place the network on the data's device, with a reset for each group and each source."""
    network, device = trained.experiment.network, dataset.device
    weights = PRECISIONS[trained.manifest.recipe.precision].weights
    placed_one = placed(trained.network, network, dataset.image_shape, device, weights)
    taken = cut(placed_one, unit_modules(network))
    named = {f"{source}": trained.state(*source) for source in trained.sources}
    sources = make_sources([*named], 1, States(placed_one, named=named))
    resets = [
        Reset(group, [tensor for unit in units for tensor in taken.units[unit]], source)
        for group, units in groups.items()
        for source in sources
    ]
    joined = len(sources) if device.type == "cuda" else 1
    return Engine(placed_one, taken.modules, resets, joined)

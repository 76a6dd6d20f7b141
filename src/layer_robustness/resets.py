"""From a trained experiment to the rows of its probe: error, loss and agreement of each reset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from layer_robustness.checkpoints import TrainedNetwork
from layer_robustness.precision import PRECISIONS, arithmetic, computed_in
from layer_robustness.probe import Reset, fitting_micro_batch, probe

FULL_MODEL = "fullmodel"


@dataclass(frozen=True)
class Limits:
    """What a probe may use: draws of `rerand`, images at once, and bytes of memory."""

    draws: int
    micro_batch: int
    memory: int


def reset_rows(
    trained: TrainedNetwork, groups: dict[str, Sequence[str]], limits: Limits
) -> Iterator[dict]:
    """Yield a row for each group of units and each source.

    error, loss
        Test error (fraction wrong) and mean cross entropy of the final network with the group's
        units reset to the source.
    agreement
        Fraction of test images that get the final network's own prediction.
    precision
        What the three were computed in.
    """
    dataset, network = trained.dataset, trained.network
    device, precision = dataset.device, trained.recipe.precision
    network.to(device)
    final = network.state_dict()
    sources = {
        key: {name: tensor.to(final[name]) for name, tensor in state.items()}
        for key, state in trained.sources(limits.draws).items()
    }
    cells = [(group, key) for group in groups for key in sources]
    resets = [Reset(frozenset(groups[group]), sources[key]) for group, key in cells]

    def prepare(images: Tensor) -> Tensor:
        return dataset.normalize(images.to(device), PRECISIONS[precision].weights)

    joined = len(sources) if device.type == "cuda" else 1
    images, labels = dataset.test_images, dataset.test_labels
    with arithmetic(precision, device):
        micro_batch = fitting_micro_batch(
            network, prepare(images[:1]), limits.memory, limits.micro_batch, joined
        )
        outcome = probe(network, resets, images, labels, micro_batch, joined, prepare)
    labels = labels.cpu()
    for row, (group, (source, draw)) in enumerate(cells, 1):
        predictions = outcome.predictions[row]
        yield {
            "unit": group,
            "source": source,
            "draw": draw,
            "error": float((predictions != labels).double().mean()),
            "loss": float(outcome.losses[row].mean()),
            "agreement": float((predictions == outcome.predictions[0]).double().mean()),
            "images": len(labels),
            "precision": computed_in(precision, device),
        }

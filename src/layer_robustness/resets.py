"""From a trained experiment to the rows of its probe: error, loss and agreement of each reset."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from layer_robustness.checkpoints import TrainedNetwork
from layer_robustness.models.build import PRECISIONS
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
    """
    dataset, network = trained.dataset, trained.network
    device = dataset.test_images.device
    precision = trained.recipe.precision
    network.to(device)
    final = network.state_dict()
    sources = {
        key: {name: tensor.to(final[name]) for name, tensor in state.items()}
        for key, state in trained.sources(limits.draws).items()
    }
    cells = [(group, key) for group in groups for key in sources]
    resets = [Reset(frozenset(groups[group]), sources[key]) for group, key in cells]
    images = dataset.normalize(dataset.test_images, PRECISIONS[precision])
    joined = len(sources) if device.type == "cuda" else 1
    micro_batch = fitting_micro_batch(
        network, images[:1], limits.memory, limits.micro_batch, joined
    )
    outcome = probe(network, resets, images, dataset.test_labels, micro_batch, joined)
    labels = dataset.test_labels.cpu()
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
            "precision": precision,
        }

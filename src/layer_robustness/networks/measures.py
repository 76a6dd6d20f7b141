"""What is measured of a reset, from its logits and those of the trained network."""

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional

# Higher is worse for the first two and kl.
MEASURES = ("error", "loss", "agreement", "kl", "cosine")


@dataclass
class Tally:
    """Sums over images of each measure.

    error
        Images whose prediction is not their label.
    loss
        Cross entropy.
    agreement
        Images that get the trained network's own prediction.
    kl
        Kullback-Leibler divergence of the predicted distribution from the trained network's.
    cosine
        Cosine of the angle between the two distributions.
    """

    images: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(MEASURES, 0.0))

    def add(self, logits: Tensor, trained: Tensor, labels: Tensor) -> None:
        """Count a micro-batch: logits [N, classes] of the reset and the trained network."""
        logits, trained = logits.double(), trained.double()
        log, log_trained = logits.log_softmax(1), trained.log_softmax(1)
        predicted = predictions(logits)
        self.images += len(labels)
        found = {
            "error": (predicted != labels).sum(),
            "loss": functional.nll_loss(log, labels, reduction="sum"),
            "agreement": (predicted == predictions(trained)).sum(),
            "kl": functional.kl_div(log, log_trained, log_target=True, reduction="sum"),
            "cosine": functional.cosine_similarity(log.exp(), log_trained.exp()).sum(),
        }
        for name, value in found.items():
            self.sums[name] += value.item()

    def means(self, measures: tuple[str, ...]) -> dict[str, float]:
        """Return means over images."""
        return {name: self.sums[name] / self.images for name in measures}


def predictions(logits: Tensor) -> Tensor:
    """Return classes int64 [N]; -1, which is no class, where a logit is not a number."""
    return torch.where(logits.isnan().any(1), -1, logits.argmax(1))


def same(one: Tensor, other: Tensor) -> bool:
    """Whether logits are equal bit for bit, where one is not a number too."""
    return one.shape == other.shape and torch.allclose(one, other, 0, 0, equal_nan=True)

"""What is measured of a reset, from its logits and those of the trained network."""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

# error: images whose prediction is not their label, as a fraction.
# loss: mean cross entropy.
# agreement: fraction of images that get the trained network's own prediction.
# kl: mean Kullback-Leibler divergence of the predicted distribution from the trained network's.
# cosine: mean cosine of the angle between the two distributions.
MEASURES = ("error", "loss", "agreement", "kl", "cosine")


class Tally:
    """What was counted over some images, for the trained network (row 0) and each reset.

    missed
        bool [R + 1, N], images whose prediction is not their label.
    sums
        float64 [R + 1] for each other measure, over images.
    """

    def __init__(self, resets: int, measures: Sequence[str]):
        self.missed = torch.zeros(resets + 1, 0, dtype=torch.bool)
        names = [name for name in MEASURES[1:] if name in measures]
        self.sums = {name: torch.zeros(resets + 1, dtype=torch.float64) for name in names}

    def tensors(self) -> dict[str, Tensor]:
        """Return all that was counted, by name."""
        return {"missed": self.missed, **self.sums}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Go on from what `tensors` once returned; from nothing, if that is what is given."""
        sums = dict(tensors)
        self.missed = sums.pop("missed", self.missed)
        self.sums |= sums

    def add(self, found: Iterable[tuple[list[int], Tensor]], labels: Tensor) -> None:
        """Count a micro-batch.

        Parameters
        ----------
        found
            Rows, and their logits [N, classes] one after the other; row 0 comes first.
        labels
            int64 [N].
        """
        missed = torch.zeros(len(self.missed), len(labels), dtype=torch.bool)
        sums = {name: torch.zeros_like(total) for name, total in self.sums.items()}
        trained = None
        for rows, logits in found:
            trained = logits if trained is None else trained
            shape = len(rows), len(labels)
            each = logits.view(*shape, -1)
            missed[rows] = (predictions(each) != labels).cpu()
            for name, total in sums.items():
                total[rows] = measured(name, each, trained.expand_as(each), labels.expand(shape))
        self.missed = torch.cat([self.missed, missed], 1)
        for name, total in sums.items():
            self.sums[name] += total

    def means(self, row: int) -> dict[str, float]:
        """Return means over images; of a row."""
        images = self.missed.shape[1]
        found = {name: float(total[row]) / images for name, total in self.sums.items()}
        return {"error": int(self.missed[row].sum()) / images, **found}


def measured(name: str, logits: Tensor, trained: Tensor, labels: Tensor) -> Tensor:
    """Return the sum over images of a measure: float64 [R].

    Parameters
    ----------
    logits, trained
        [R, N, classes] of resets and the trained network.
    labels
        int64 [R, N].
    """
    if name == "agreement":
        return (predictions(logits) == predictions(trained)).sum(1).cpu().double()
    log = logits.double().log_softmax(2)
    if name == "loss":
        return -log.gather(2, labels.unsqueeze(2)).sum((1, 2)).cpu()
    log_trained = trained.double().log_softmax(2)
    if name == "kl":
        divergence = functional.kl_div(log, log_trained, log_target=True, reduction="none")
        return divergence.sum((1, 2)).cpu()
    return functional.cosine_similarity(log.exp(), log_trained.exp(), 2).sum(1).cpu()


def predictions(logits: Tensor) -> Tensor:
    """Return classes int64 [...]; -1, which is no class, where a logit is not a number."""
    return torch.where(logits.isnan().any(-1), -1, logits.argmax(-1))


def same(one: Tensor, other: Tensor) -> bool:
    """Whether logits are equal bit for bit, where one is not a number too."""
    return one.shape == other.shape and torch.allclose(one, other, 0, 0, equal_nan=True)

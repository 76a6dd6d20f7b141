"""What is measured of a reset, from its logits and those of the trained network."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

# error: images whose prediction is not their label, as a fraction.
# loss: mean cross entropy.
# agreement: fraction of images that get the trained network's own prediction.
# kl: mean KL(p||q), where p is the trained network's distribution and q that of the reset one.
# cosine: mean cosine of the angle between the two distributions.
MEASURES = ("error", "loss", "agreement", "kl", "cosine")

TOGETHER = 2**17  # logits that are measured at once
# Rows, and their logits [N, classes] one after the other.
Found = Iterable[tuple[list[int], Tensor]]


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

    def add(self, found: Found, labels: Tensor) -> None:
        """Count a micro-batch: what was found of all rows, row 0 first; labels int64 [N]."""
        missed = torch.zeros(len(self.missed), len(labels), dtype=torch.bool)
        sums = {name: torch.zeros_like(total) for name, total in self.sums.items()}
        trained = None
        for rows, logits in gathered(found):
            one = Outputs(logits.view(len(rows), len(labels), -1))
            trained = trained or Outputs(one.logits[:1])
            missed[rows] = (one.predictions != labels).cpu()
            for name, total in sums.items():
                total[rows] = one.measured(name, trained, labels).sum(1).double().cpu()
        self.missed = torch.cat([self.missed, missed], 1)
        for name, total in sums.items():
            self.sums[name] += total

    def means(self, row: int) -> dict[str, float]:
        """Return means over images; of a row."""
        images = self.missed.shape[1]
        found = {name: float(total[row]) / images for name, total in self.sums.items()}
        return {"error": int(self.missed[row].sum()) / images, **found}


def gathered(found: Found) -> Found:
    """Put logits together until they are many, as measures of all at once take less time."""
    rows, parts, count = [], [], 0
    for more, logits in found:
        rows, parts, count = [*rows, *more], [*parts, logits], count + logits.numel()
        if count >= TOGETHER:
            yield rows, torch.cat(parts)
            rows, parts, count = [], [], 0
    if rows:
        yield rows, torch.cat(parts)


class Outputs:
    """Logits [R, N, classes], and what is made of them when it is asked for."""

    def __init__(self, logits: Tensor):
        self.logits = logits

    @cached_property
    def predictions(self) -> Tensor:
        """Classes int64 [R, N]; -1, which is no class, where a logit is not a number."""
        largest, classes = self.logits.max(2)
        return torch.where(largest.isnan(), -1, classes)

    @cached_property
    def log(self) -> Tensor:
        """Logarithms of the predicted distributions [R, N, classes]."""
        return self.logits.double().log_softmax(2)

    def measured(self, name: str, trained: "Outputs", labels: Tensor) -> Tensor:
        """Return a measure of each image [R, N]; `trained` is of the network as it is [1, N]."""
        if name == "agreement":
            return self.predictions == trained.predictions
        if name == "loss":
            flat = self.logits.flatten(0, 1), labels.repeat(len(self.logits))
            losses = functional.cross_entropy(*flat, reduction="none")
            return losses.double().view(self.logits.shape[:2])
        if name == "kl":
            return (trained.log.exp() * (trained.log - self.log)).sum(2)
        return functional.cosine_similarity(self.log.exp(), trained.log.exp(), 2)


def same(one: Tensor, other: Tensor) -> bool:
    """Whether logits are equal bit for bit, where one is not a number too."""
    return one.shape == other.shape and torch.allclose(one, other, 0, 0, equal_nan=True)

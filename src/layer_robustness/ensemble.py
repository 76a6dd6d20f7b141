"""Networks of one shape that train together: one alone, or several stacked in every tensor."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from layer_robustness.models.sequence import UnitSequence


class Single:
    """One network with the interface of `Stack`, at a plain module's speed."""

    def __init__(self, networks: Sequence[UnitSequence]):
        (self.network,) = networks
        self.tensors = dict(self.network.named_parameters())
        self.buffers = dict(self.network.named_buffers())

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images [1, B, C, H, W] into logits [1, B, classes]."""
        return self.network(images[0]).unsqueeze(0)

    def train(self, mode: bool) -> None:
        """Switch between training and evaluation."""
        self.network.train(mode)

    @staticmethod
    def member(tensors: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return a view of one member's share of stacked tensors."""
        assert index == 0
        return tensors


class Stack:
    """K networks without buffers, whose parameters are stacked along a new first dimension.

    Launching one kernel for all members is what makes small networks fast on a GPU. In float64
    each member follows its own training to rounding; in float32 it drifts within a few epochs.
    """

    def __init__(self, networks: Sequence[UnitSequence]):
        self.tensors, self.buffers = stack_module_state(list(networks))
        assert not self.buffers, "running statistics are not stacked"
        self.template = deepcopy(networks[0]).to("meta")

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images [K, B, C, H, W] into logits [K, B, classes]."""

        def forward(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(self.template, tensors, (images,))

        return vmap(forward)(self.tensors, images)

    def train(self, mode: bool) -> None:
        """Switch between training and evaluation."""
        self.template.train(mode)

    @staticmethod
    def member(tensors: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return a view of one member's share of stacked tensors."""
        return {name: tensor[index] for name, tensor in tensors.items()}


def together(networks: Sequence[UnitSequence]) -> Single | Stack:
    """Choose the faster form."""
    return Single(networks) if len(networks) == 1 else Stack(networks)


def mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of logits [K, B, classes] and labels [K, B], averaged over B: [K]."""
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none"
    )
    return losses.view(labels.shape).mean(1)

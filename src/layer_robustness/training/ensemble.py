"""Networks of one shape that train together: one alone, or several stacked in every tensor."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from timm.layers.norm_act import convert_sync_batchnorm
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.parallel import DistributedDataParallel

from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.ranks import ALONE, Ranks


class Single:
    """One network with the interface of `Stack`, at a plain module's speed.

    Parameters
    ----------
    network
        It is trained in place, but for the modules named in `frozen`.
    ranks
        Processes that train it together, each with its part of every batch.
    """

    def __init__(self, network: nn.Module, frozen: Sequence[str] = (), ranks: Ranks = ALONE):
        self.frozen = [network.get_submodule(name) for name in frozen]
        for module in self.frozen:
            module.requires_grad_(False)
        self.network = network
        self.forward = in_parallel(network) if ranks.count > 1 else network
        self.tensors = dict(self.network.named_parameters())
        self.trained = {name: t for name, t in self.tensors.items() if t.requires_grad}

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images [1, B, C, H, W] into logits [1, B, classes]."""
        return self.forward(images[0]).unsqueeze(0)

    def train(self, mode: bool) -> None:
        """Switch between training and evaluation; frozen running statistics stand still."""
        self.network.train(mode)
        for module in self.frozen:
            module.eval()

    def weights(self) -> dict[str, Tensor]:
        """What a checkpoint holds: not the buffers that the network does not save."""
        return dict(self.network.state_dict())

    @staticmethod
    def member(tensors: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return a view of one member's share of stacked tensors."""
        assert index == 0
        return tensors


def in_parallel(network: nn.Module) -> DistributedDataParallel:
    """Average gradients over processes; batch statistics become those of the whole batch."""
    device = next(network.parameters()).device
    if any(isinstance(part, nn.BatchNorm2d) for part in network.modules()):
        if device.type != "cuda":
            raise InputError(
                "batch normalization over several processes needs GPUs: use one process on a CPU"
            )
        convert_sync_batchnorm(network)
    ids = [device] if device.type == "cuda" else None
    return DistributedDataParallel(network, ids, broadcast_buffers=False)


class Stack:
    """K networks without buffers, whose parameters are stacked along a new first dimension.

    Launching one kernel for all members is what makes small networks fast on a GPU. In float64
    each member follows its own training to rounding; in float32 it drifts within a few epochs.
    """

    def __init__(self, networks: Sequence[nn.Module]):
        self.tensors, self.buffers = stack_module_state(list(networks))
        assert not self.buffers, "running statistics are not stacked"
        self.trained = self.tensors
        self.template = deepcopy(networks[0]).to("meta")

    def __call__(self, images: Tensor) -> Tensor:
        """Turn images [K, B, C, H, W] into logits [K, B, classes]."""

        def forward(tensors: dict[str, Tensor], images: Tensor) -> Tensor:
            return functional_call(self.template, tensors, (images,))

        return vmap(forward)(self.tensors, images)

    def train(self, mode: bool) -> None:
        """Switch between training and evaluation."""
        self.template.train(mode)

    def weights(self) -> dict[str, Tensor]:
        """What the checkpoints hold, stacked."""
        return self.tensors

    @staticmethod
    def member(tensors: dict[str, Tensor], index: int) -> dict[str, Tensor]:
        """Return a view of one member's share of stacked tensors; single numbers are of all."""
        return {name: tensor[index] if tensor.ndim else tensor for name, tensor in tensors.items()}


def mean_loss(logits: Tensor, labels: Tensor, size: int) -> Tensor:
    """Cross entropy of logits [K, B, classes] and labels [K, B], summed over B by `size`: [K]."""
    losses = torch.nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), reduction="none"
    )
    return losses.view(labels.shape).sum(1) / size

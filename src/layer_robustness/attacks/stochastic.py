"""The stochastic classifier of Section 6: some residual blocks are random ones, each time anew."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from layer_robustness.models.sequence import UnitSequence
from layer_robustness.runtime.errors import InputError


class StochasticClassifier:
    """A trained network in which s stages have one residual block replaced by a fresh draw of it.

    Stages, block and draw are chosen at random for each inference; the draws themselves are preset.

    Parameters
    ----------
    network
        The trained network. It and the fresh ones are put into evaluation mode, and their
        parameters ask for no gradients any more.
    fresh
        r networks of the same form, of which the residual blocks are used.
    replaced
        s, the number of stages in which a block is replaced; with 0 it is the network itself.
    mean, std
        Of the training pixels, in [0, 1].

    Raises
    ------
    InputError
        If the network has fewer stages than are to have a block replaced.
    """

    def __init__(
        self,
        network: UnitSequence,
        fresh: Sequence[UnitSequence],
        replaced: int,
        mean: float,
        std: float,
    ):
        self.networks = [each.eval().requires_grad_(False) for each in (network, *fresh)]
        self.blocks = [name for name in network.unit_names if ".resblk" in name]
        of_stage = [name.partition(".")[0] for name in self.blocks]
        stages = sorted(set(of_stage))
        if not 0 <= replaced <= len(stages):
            raise InputError(
                f"{replaced} stages cannot have a block replaced; allowed: 0 to {len(stages)}, as "
                f"the network has {len(stages)} stages of residual blocks"
            )
        self.lengths = torch.tensor([of_stage.count(stage) for stage in stages])
        self.replaced, self.mean, self.std = replaced, mean, std

    def choose(self, count: int, random: torch.Generator) -> Tensor:
        """Draw what `count` inferences use for each block: int64 [count, blocks], on the CPU.

        0 is the network's own block, k the block of the k-th fresh network.
        """
        stages = torch.rand(count, len(self.lengths), generator=random).argsort(1)
        stages = stages[:, : self.replaced]
        in_stage = torch.rand(stages.shape, generator=random) * self.lengths[stages]
        blocks = (self.lengths.cumsum(0) - self.lengths)[stages] + in_stage.long()
        draws = torch.randint(len(self.networks) - 1, stages.shape, generator=random) + 1
        return torch.zeros(count, len(self.blocks), dtype=torch.int64).scatter(1, blocks, draws)

    def __call__(self, pixels: Tensor, choice: Tensor) -> Tensor:
        """Turn pixels [N, C, H, W] in [0, 1] into logits [N, classes].

        Parameters
        ----------
        choice
            A row of `choose` for each image, or a single one for all.
        """
        activation = (pixels - self.mean) / self.std
        chosen = dict(zip(self.blocks, choice.unbind(1), strict=True))
        for name, unit in self.networks[0].units():
            if name in chosen:
                variants = [network.get_submodule(name) for network in self.networks]
                activation = each_by_its_own(variants, chosen[name], activation)
            else:
                activation = unit(activation)
        return activation


def each_by_its_own(variants: Sequence[nn.Module], chosen: Tensor, inputs: Tensor) -> Tensor:
    """Give each input [N, ...] to the variant that is chosen for it; outputs in the inputs' order.

    Parameters
    ----------
    chosen
        Indices of variants, int64 [N], or [1] for all inputs together.
    """
    used = chosen.unique().tolist()
    if len(used) == 1:
        return variants[used[0]](inputs)
    rows = [(chosen == variant).nonzero().flatten().to(inputs.device) for variant in used]
    outputs = [variants[variant](inputs[own]) for variant, own in zip(used, rows, strict=True)]
    return torch.cat(outputs)[torch.cat(rows).argsort()]

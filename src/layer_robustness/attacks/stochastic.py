"""The stochastic classifier of Section 6: some residual blocks are random ones, each time anew."""

from collections.abc import Sequence
from copy import deepcopy

import torch
from torch import Tensor, nn

from layer_robustness.runtime.errors import InputError


class StochasticClassifier:
    """A trained network in which s stages have one residual block replaced by a fresh draw of it.

    Stages, block and draw are chosen at random for each inference; the draws themselves are preset.

    Raises `InputError` if the network has fewer stages than are to have a block replaced.

    Parameters
    ----------
    network
        The trained network. It and the fresh ones are put into evaluation mode, and their
        parameters ask for no gradients any more.
    fresh
        r networks of the same form, of which the residual blocks are used.
    blocks
        Names of the modules that are residual blocks, such as stages.0.blocks.1.
    replaced
        s, the number of stages in which a block is replaced; with 0 it is the network itself.
    mean, std
        Of the training pixels, in [0, 1].
    """

    def __init__(
        self,
        network: nn.Module,
        fresh: Sequence[nn.Module],
        blocks: Sequence[str],
        replaced: int,
        mean: float,
        std: float,
    ):
        self.networks = [each.eval().requires_grad_(False) for each in (network, *fresh)]
        self.network, self.blocks = deepcopy(self.networks[0]), blocks
        for name in blocks:
            variants = Variants([each.get_submodule(name) for each in self.networks])
            self.network.set_submodule(name, variants)
        of_stage = [name.rpartition(".blocks.")[0] for name in blocks]
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

        The choice has a row of `choose` for each image, or a single one for all.
        """
        for name, chosen in zip(self.blocks, choice.unbind(1), strict=True):
            self.network.get_submodule(name).chosen = chosen
        return self.network((pixels - self.mean) / self.std)


class Variants(nn.Module):
    """Blocks of the same form, of which each input [N, ...] takes the one chosen for it.

    chosen
        Their indices, int64 [N], or [1] for all inputs together.
    """

    chosen: Tensor

    def __init__(self, blocks: Sequence[nn.Module]):
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs in the inputs' order."""
        used = self.chosen.unique().tolist()
        if len(used) == 1:
            return self.blocks[used[0]](inputs)
        rows = [(self.chosen == each).nonzero().flatten().to(inputs.device) for each in used]
        outputs = [self.blocks[each](inputs[own]) for each, own in zip(used, rows, strict=True)]
        return torch.cat(outputs)[torch.cat(rows).argsort()]

"""Processes that train one network together, each on its own GPU, as torchrun starts them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process' number and the number of processes; alone by default."""

    rank: int = 0
    count: int = 1

    def sum(self, tensor: Tensor) -> Tensor:
        """Add a tensor up over all processes, in place."""
        if self.count > 1:
            dist.all_reduce(tensor)
        return tensor

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process finish the block before the others enter it."""
        if self.count > 1 and self.rank > 0:
            dist.barrier()
        yield
        if self.count > 1 and self.rank == 0:
            dist.barrier()


ALONE = Ranks()


def own_device(device: torch.device) -> torch.device:
    """Return the GPU of this process where torchrun started several."""
    if device.type == "cuda" and "LOCAL_RANK" in os.environ:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    return device


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started; without torchrun this process is alone."""
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()

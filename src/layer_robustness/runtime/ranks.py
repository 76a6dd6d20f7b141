"""Processes that train one network together, each on its own GPU, as torchrun starts them."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed import run as torchrun
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError

from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import EXIT_STATUS, Interrupted
from layer_robustness.runtime.memory import refuse_killed


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

    def any(self, *flags: bool) -> list[bool]:
        """Whether each flag is set in any process, for all of them to do the same."""
        if self.count == 1:
            return list(flags)
        # On the CPU: a GPU would have to be waited for.
        told = torch.tensor(flags, dtype=torch.uint8)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        return told.bool().tolist()

    @contextmanager
    def first_goes_ahead(self) -> Iterator[None]:
        """Let the first process finish the block before the others enter it."""
        if self.count > 1 and self.rank > 0:
            dist.barrier()
        yield
        if self.count > 1 and self.rank == 0:
            dist.barrier()


ALONE = Ranks()


def run_as_ranks(module: str, arguments: Sequence[str], count: int) -> None:
    """Run a command in so many processes on this machine.

    Asked to leave, torchrun asks its processes and waits for them, so signals must not only be
    noted here. It ends in a traceback whatever its processes end with; this ends as they do.

    Raises `Interrupted` if torchrun or its processes got a signal to stop, and `ProcessKilled` if
    the system killed one of them.
    """
    try:
        torchrun.main(["--standalone", f"--nproc-per-node={count}", "-m", module, *arguments])
    except SignalException as error:
        raise Interrupted(error.sigval.name) from None
    except ChildFailedError as error:
        exit_codes = [failure.exitcode for failure in error.failures.values()]
        refuse_killed(exit_codes)
        if EXIT_STATUS in exit_codes:
            raise Interrupted("a signal to its processes") from None
        sys.exit(1)  # the processes have logged why


def started_as_rank() -> bool:
    """Whether torchrun started this process."""
    return "WORLD_SIZE" in os.environ


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that torchrun started; without torchrun this process is alone.

    Raises `InputError` if another of the processes has ended, which has logged why, or was killed.
    """
    if not started_as_rank():
        yield ALONE
        return
    dist.init_process_group("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), dist.get_world_size())
    except RuntimeError as error:
        if "gloo" not in str(error):
            raise
        raise InputError("a process that trains with this one ended: see what it says") from error
    finally:
        dist.destroy_process_group()

"""Memory that runs out, and processes that the system kills for it: one line, and what to lower."""

import errno
import re
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from layer_robustness.runtime.errors import InputError

# PyTorch has a type of its own for a GPU's memory only, and none for what its libraries report.
OF_A_GPU = re.compile(r"CUDA.*out of memory|(CUBLAS|CUDNN)\w*_ALLOC_FAILED")
OF_A_CPU = re.compile(r"can't allocate memory|bad_alloc")
# A bus error is what a process gets that writes into shared memory which is full.
KILLED = re.compile(r"DataLoader worker .*signal: (Killed|Bus error)")


class ProcessKilled(Exception):
    """The system killed a process that this one started."""


def refuse_killed(exit_codes: Iterable[int | None]) -> None:
    """Raise `ProcessKilled` if a process was killed: its exit code is minus the signal's number."""
    if -signal.SIGKILL in exit_codes:
        raise ProcessKilled


@contextmanager
def bounded_by(keys: str = "") -> Iterator[None]:
    """Turn memory that runs out in this block into an `InputError`; decorates functions too.

    Parameters
    ----------
    keys
        Of the config, which bound the memory that the block takes; in words.
    """
    try:
        yield
    except InputError:
        raise  # it says what to do, and names the network if it comes from a block inside this one
    except Exception as error:
        if what := ran_out(error):
            # Whatever the traceback's frames hold goes: tensors, and processes that decode images,
            # which end with what started them and would be waited for.
            traceback.clear_frames(error.__traceback__)
            remedies = [f"lower {keys}"] if keys else []
            if "GPU" not in what:
                remedies.append("run on fewer --cores, or ask for more mem_mb")
            raise InputError(f"{what}: {', '.join(remedies)}") from error
        raise


def ran_out(error: Exception) -> str:
    """Say what ran out; nothing where the error is another one."""
    text = f"{error} {error.__cause__}"  # of a loader's worker, only the cause tells the signal
    if isinstance(error, ProcessKilled) or KILLED.search(text):
        return "a process was killed, most likely because memory ran out"
    of_a_gpu = isinstance(error, torch.OutOfMemoryError) or OF_A_GPU.search(text)
    refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if not (of_a_gpu or refused or isinstance(error, MemoryError) or OF_A_CPU.search(text)):
        return ""
    tried = re.search(r"(?i)tried (to allocate [\d.]+ \w+)", text)
    size = f" (tried {tried[1]})" if tried else ""
    return ("the GPU's memory" if of_a_gpu else "memory") + f" ran out{size}"

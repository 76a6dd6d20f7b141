"""Turn running out of memory into one line that says what to lower."""

import errno
import re
import signal
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch

from layer_robustness.runtime.errors import InputError

# PyTorch has an error of its own for a GPU's memory only; CUDA's libraries report it in words.
OF_A_GPU = re.compile(r"CUDA.*out of memory|(CUBLAS|CUDNN)\w*_ALLOC_FAILED")
OF_A_CPU = re.compile(r"can't allocate memory|bad_alloc")
# A process that writes into full shared memory gets a bus error.
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

    Keys are those of the config that limit the memory of this block, in words.
    """
    try:
        yield
    except InputError:
        raise  # from a block inside this one: it already says what to do
    except Exception as error:
        if what := ran_out(error):
            # Free what the traceback's frames hold: tensors, and loaders of images, whose processes
            # this process would otherwise wait for.
            traceback.clear_frames(error.__traceback__)
            remedies = [f"lower {keys}"] if keys else []
            if "GPU" not in what:
                remedies.append("run on fewer --cores, or ask for more mem_mb")
            raise InputError(f"{what}: {', '.join(remedies)}") from error
        raise


def ran_out(error: Exception) -> str:
    """Say what ran out; an empty string if the error is another one."""
    text = f"{error} {error.__cause__}"  # for a loader's worker, only the cause names the signal
    if isinstance(error, ProcessKilled) or KILLED.search(text):
        return "a process was killed, most likely because memory ran out"
    of_a_gpu = isinstance(error, torch.OutOfMemoryError) or OF_A_GPU.search(text)
    refused = isinstance(error, OSError) and error.errno == errno.ENOMEM
    if not (of_a_gpu or refused or isinstance(error, MemoryError) or OF_A_CPU.search(text)):
        return ""
    tried = re.search(r"(?i)tried (to allocate [\d.]+ \w+)", text)
    size = f" (tried {tried[1]})" if tried else ""
    return ("the GPU's memory" if of_a_gpu else "memory") + f" ran out{size}"

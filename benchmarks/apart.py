"""Measure something in a process of its own, which no earlier measurement has warmed up."""

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch


def apart(prepare: Callable[..., Callable], *given: Any) -> tuple[float, float, Any]:
    """Call what `prepare(*given)` returns, on one thread.

    Returns
    -------
    tuple
        Seconds of the processor, as the machine may be shared; the most memory that was taken
        beside what was there before, in GB; and the result. Preparing does not count.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        return process.submit(measured, prepare, given).result()


def measured(prepare: Callable[..., Callable], given: tuple) -> tuple[float, float, Any]:
    torch.set_num_threads(1)
    work = prepare(*given)
    Path("/proc/self/clear_refs").write_text("5")  # the peak is that of now again
    before, started = peak(), time.process_time()
    result = work()
    return time.process_time() - started, peak() - before, result


def peak() -> float:
    """The most memory that this process had, in GB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (found,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(found.split()[1]) * 1024 / 1e9

"""Run small independent tasks in parallel, one per core."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

import torch

from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.memory import refuse_killed

LOOK = 0.5  # seconds between checks for a signal, and for the parent

_task: Callable  # a fork inherits it; it cannot be pickled


def run_all(task: Callable, items: Iterable, workers: int) -> list:
    """Call `task` on each item, each with one thread, in up to `workers` processes.

    Returns the results in the order of the items.

    For small networks, several processes with one thread each are faster than one process with
    several threads, and results do not depend on the number of cores. The processes are forked:
    they share the data in memory and start at once. Items start in their order, so give the
    longest first. If one fails, or this process gets a signal, the others are stopped too.

    Raises `ProcessKilled` if the system killed a worker, as it does when memory runs out.
    """
    global _task
    torch.set_num_threads(1)
    _task, items = task, list(items)
    workers = min(workers, len(items))
    if workers <= 1:
        return [run_one(item) for item in items]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, end_with, (os.getpid(),)) as pool:
        futures = [pool.submit(run_one, item) for item in items]
        left = set(futures)
        processes = multiprocessing.active_children()
        try:
            while left:
                done, left = wait(left, LOOK, FIRST_COMPLETED)
                for future in done:
                    future.result()
                leave_if_asked()
        except BaseException:
            for worker in multiprocessing.active_children():
                worker.terminate()
            pool.shutdown(cancel_futures=True)
            refuse_killed(process.exitcode for process in processes)
            raise
        return [future.result() for future in futures]


def end_with(parent: int) -> None:
    """Let this worker end when its parent does."""

    def look() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


def run_one(item: object) -> object:
    """Call the task, unless a signal has come."""
    leave_if_asked()
    return _task(item)

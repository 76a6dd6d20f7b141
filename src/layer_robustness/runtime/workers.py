"""Small independent tasks laid out over cores."""

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait

import torch

from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.memory import refuse_killed

LOOK = 0.5  # seconds between looks at whether a signal has come

_task: Callable  # a worker's own


def run_all(task: Callable, items: Iterable, workers: int) -> list:
    """Call `task` on each item, each with one thread, in up to `workers` processes.

    Returns what it returned, in the order of the items.

    One thread each and several at once beats several threads in one for small networks, and makes
    a result independent of the number of cores. The processes are forked: they share the data in
    memory and start at once. Items are begun in their order; give the longest first. Where one
    fails, or this process is asked to leave, the others are asked to leave too.

    Raises
    ------
    ProcessKilled
        If the system killed a worker, as it does where memory runs out.
    """
    torch.set_num_threads(1)
    items = list(items)
    workers = min(workers, len(items))
    if workers <= 1:
        return [run_one(item, task) for item in items]
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(workers, context, start_worker, (task, os.getpid())) as pool:
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


def start_worker(task: Callable, parent: int) -> None:
    """Remember the task, which a fork inherits but no pickle could carry; leave with the parent."""
    global _task
    _task = task

    def leave_with_parent() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=leave_with_parent, daemon=True).start()


def run_one(item: object, task: Callable | None = None) -> object:
    """Call a task, by default this worker's own, unless it was asked to leave."""
    leave_if_asked()
    return (task or _task)(item)

"""How many CPUs there are to work with."""

import os


def available() -> int:
    """Return how many CPUs this process may use: a job may have been given a part of a machine."""
    if hasattr(os, "process_cpu_count"):  # since Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

"""What this machine has, for those who must not import torch: the rules, and light steps."""

import os
import subprocess
import sys
from functools import cache


def cpus() -> int:
    """Return how many CPUs this process may use: a job may have been given a part of a machine."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@cache
def has_gpu() -> bool:
    """Whether a step would find a GPU here: another process asks torch, which takes two seconds."""
    question = "import sys, torch; sys.exit(not torch.cuda.is_available())"
    command = [sys.executable, "-c", question]
    return subprocess.run(command, capture_output=True).returncode == 0

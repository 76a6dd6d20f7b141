"""Memory that is freed: kept by the process for a while, and given back."""

import ctypes
import subprocess
import sys

import pytest

from support.checkout import ENVIRONMENT

# In a process of its own. A tensor of 64 MB is made again and again; the numbers are pages of 4 kB,
# mapped anew or held.
SCRIPT = """
import resource, torch
from pathlib import Path
from layer_robustness.runtime.allocator import freed_memory_kept

def mapped():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def held():
    return int(Path("/proc/self/statm").read_text().split()[1])

with freed_memory_kept():
    torch.ones(2**24 + 2**18)  # larger, as a place has to be larger than what is aligned in it
    print(min(mapped() for _ in range(5)), held())
print(held())
"""
PAGES = 2**14  # of the tensor


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this is not glibc")
def test_freed_memory_is_used_again_inside_the_block_and_given_back_after_it():
    command = [sys.executable, "-c", SCRIPT]
    told = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, check=True)
    mapped, held, held_after = map(int, told.stdout.split())
    assert mapped < PAGES / 10 and held_after < held - PAGES / 2

"""Memory that is freed: kept by the process for a while, and given back."""

import ctypes
import os
import resource
from pathlib import Path

import pytest
import torch

from layer_robustness.runtime.allocator import freed_memory_kept

PAGE = os.sysconf("SC_PAGESIZE")
PAGES = 2**26 // PAGE  # of a tensor of 64 MB


def pages_mapped_by_a_tensor() -> int:
    """How many pages the system gives to this process for one more tensor."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(2**24)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def resident_pages() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1])


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="this is not glibc")
def test_freed_memory_is_used_again_inside_the_block_and_given_back_after_it():
    with freed_memory_kept():
        # What is small may come to lie where a tensor was; the next one then needs another place.
        assert min(pages_mapped_by_a_tensor() for _ in range(5)) < PAGES / 10
        held = resident_pages()
    assert resident_pages() < held - PAGES / 2
    assert pages_mapped_by_a_tensor() > PAGES / 2

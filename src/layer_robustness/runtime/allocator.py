"""What the C library does with memory that is freed."""

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

# glibc's options, from its malloc.h, and the largest values that it sets them to by itself.
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
MMAP_LARGEST = 32 * 2**20
TRIM_LARGEST = 2 * MMAP_LARGEST
ALL = 2**31 - 1  # the largest int


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Let this process keep the memory that it frees in the block, and use it again.

    glibc gives large tensors back to the system as soon as they are freed, and the next one is
    mapped anew, page by page. For some networks that is half the time of a pass on a CPU. Does
    nothing where the C library is another one.
    """
    library = ctypes.CDLL(None)
    if not (hasattr(library, "mallopt") and hasattr(library, "malloc_trim")):
        yield
        return
    library.mallopt(MMAP_THRESHOLD, 2**30)
    library.mallopt(TRIM_THRESHOLD, ALL)
    try:
        yield
    finally:
        library.mallopt(MMAP_THRESHOLD, MMAP_LARGEST)
        library.mallopt(TRIM_THRESHOLD, TRIM_LARGEST)
        library.malloc_trim(0)

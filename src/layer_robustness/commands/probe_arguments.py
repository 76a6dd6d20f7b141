"""Arguments that the commands share which probe."""

import argparse

GIGABYTE = 10**9


def add_memory(parser: argparse.ArgumentParser) -> None:
    """Add how much memory a probe may use."""
    parser.add_argument("--memory", type=float, default=2, help="for activations, in GB")


def memory_of(arguments: argparse.Namespace) -> int:
    """Return the bytes of one worker, which shares the job's memory with the others."""
    return int(arguments.memory * GIGABYTE / arguments.workers)

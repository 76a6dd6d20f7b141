"""Arguments that the commands share which probe."""

import argparse

from layer_robustness.probing.rows import Limits

GIGABYTE = 10**9


def add_limits(parser: argparse.ArgumentParser) -> None:
    """Add what a probe may use."""
    parser.add_argument("--memory", type=float, default=2, help="for activations, in GB")


def limits_of(arguments: argparse.Namespace) -> Limits:
    """Return the limits of one worker, which shares the job's memory with the others."""
    return Limits(memory=int(arguments.memory * GIGABYTE / arguments.workers))

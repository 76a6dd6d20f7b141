"""Arguments that the commands which probe share."""

import argparse

from layer_robustness.commands.over_experiments import parser
from layer_robustness.probing.rows import Limits

GIGABYTE = 10**9


def probe_parser(description: str) -> argparse.ArgumentParser:
    """Return the same parser with a probe's limits."""
    extended = parser(description)
    extended.add_argument("--micro-batch", type=int, required=True, help="most images at once")
    extended.add_argument("--memory", type=float, required=True, help="budget in GB")
    return extended


def probe_limits(arguments: argparse.Namespace) -> Limits:
    """Return the limits of one worker, which shares the job's memory with the others."""
    memory = int(arguments.memory * GIGABYTE / arguments.workers)
    return Limits(arguments.draws, arguments.micro_batch, memory)

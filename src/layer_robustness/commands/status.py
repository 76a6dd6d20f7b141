"""Say what is built, what is missing, what is begun, and how many hours remain.

Takes what Snakemake takes: --configfile, --config, a profile, targets. Hours are those of a core or
of a GPU, from measured times of what has run; nothing is changed, and a run may be going on.
"""

import argparse
import sys
import time

from layer_robustness.planning.plan import Plan
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.status.built import read_config, summary
from layer_robustness.status.jobs import find_jobs
from layer_robustness.status.page import page

PAUSE = 10  # seconds: Snakemake needs some to look at everything
CLEAR = "\033[H\033[2J"


def main() -> None:
    """Print the status once, or until all is built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watch", action="store_true", help="draw it again until all is built")
    arguments, options = parser.parse_known_args()
    pending = draw(options)
    while arguments.watch and pending:
        time.sleep(PAUSE)
        pending = draw(options, CLEAR if sys.stdout.isatty() else "\n")


def draw(options: list[str], before: str = "") -> bool:
    """Print the status; return whether anything is to be done."""
    files = summary(options)
    plan = Plan(read_config(options))
    print(before + page(files, find_jobs(plan, files)), flush=True)
    return any(file.pending for file in files)


if __name__ == "__main__":
    exit_with_one_line(main)

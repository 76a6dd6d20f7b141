"""Say what is built, what is missing, and how long the rest may take.

Takes Snakemake's own options: targets, --config preset=paper, --configfile=mine.yaml. Nothing is
changed, and a run may be going on. Keep an eye on it by: watch -n 30 make status
"""

import argparse
from collections.abc import Sequence

from tabulate import tabulate

from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.status.jobs import MEASURED, Made, hours_left, spent, summary

FEW = 4  # names in a line


def main() -> None:
    """Print the status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    _, options = parser.parse_known_args()
    jobs = summary(options)
    print(table(jobs), to_do(jobs), sep="\n\n")


def table(jobs: Sequence[Made]) -> str:
    """Write a row for each step, and the sum of the hours left."""
    known = {made: found for made in jobs if made.step in MEASURED and (found := spent(made))}
    left = hours_left(jobs, known)
    rows = []
    for step in dict.fromkeys(("data", "imagenet", *MEASURED, *(made.step for made in jobs))):
        if of_step := [made for made in jobs if made.step == step]:
            done = sum(made.state == "done" for made in of_step)
            taken = [known[made] for made in of_step if made in known]
            to_go = told([left[made] for made in of_step if made in left])
            rows.append([step, done, len(of_step), hours(sum(taken)) if taken else "", to_go])
    header = ["step", "done", "of", "hours so far", "hours left"]
    alignment = ["left", *["right"] * 3, "left"]
    drawn = tabulate(rows, header, disable_numparse=True, colalign=alignment if rows else None)
    total = told(list(left.values()))
    return drawn + (f"\n\nHours left on one core or GPU: {total}." if left else "")


def told(left: Sequence[float | None]) -> str:
    """Write a sum of hours, and of how many jobs none like it was measured."""
    known = [found for found in left if found is not None]
    parts = [hours(sum(known))] if known else []
    if unknown := len(left) - len(known):
        parts.append(f"{unknown} not known yet")
    return " + ".join(parts)


def hours(found: float) -> str:
    """Write hours, few of them with more digits."""
    return "under 0.01" if 0 < found < 0.01 else f"{found:.{2 if found < 10 else 0}f}"


def to_do(jobs: Sequence[Made]) -> str:
    """Count and name what is missing, what is out of date and what follows from it."""
    lines = []
    for state in ("missing", "out of date", "to follow"):
        if names := [named(made) for made in jobs if made.state == state]:
            more = f", and {len(names) - FEW} more" if len(names) > FEW else ""
            lines.append(f"{state.capitalize()} ({len(names)}): {', '.join(names[:FEW])}{more}")
    return "\n".join(lines) or "All is built and up to date."


def named(made: Made) -> str:
    """Name a job: several steps take a network, only one makes a figure."""
    return f"{made.step} {made.name}" if made.step in MEASURED else made.name


if __name__ == "__main__":
    exit_with_one_line(main)

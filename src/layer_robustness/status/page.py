"""The status as text for a terminal."""

import time
from collections import Counter
from collections.abc import Iterable

from tabulate import tabulate

from layer_robustness.status.built import File
from layer_robustness.status.jobs import Job, Line, add_up

DEVICES = {"cpu": "CPU", "cuda": "GPU"}
MOST = 20  # lines of what is in progress
FEW = 4  # names of jobs to be done
NOT_MEASURED = "?"
# What Snakemake's summary says of files that are to be made again.
REASONS = {"missing": "Missing", "ok": "To follow"}
CHANGED = "Out of date"


def page(files: list[File], jobs: list[Job]) -> str:
    """Put everything on one page: done, measured and left by step, in progress, to be done."""
    lines = add_up(jobs)
    built = sum(not file.pending for file in files)
    parts = [f"{built} of {len(files)} files are built and up to date."]
    if lines:
        parts += [table(lines), left(lines)]
    parts += [progress(jobs), to_do(files)]
    return "\n\n".join(filter(None, parts))


def hours(seconds: float | None) -> str:
    """Write seconds as hours."""
    if seconds is None:
        return NOT_MEASURED
    found = seconds / 3600
    return f"{found:.{0 if found >= 100 else 1 if found >= 10 else 3}f}" if found else "0"


def table(lines: Iterable[Line]) -> str:
    """Write a row for each step."""
    header = ["step", "done", "of", "CPU hours", "GPU hours", "CPU hours left", "GPU hours left"]
    rows = []
    for line in lines:
        taken = [hours(line.measured.get(device, 0)) for device in DEVICES]
        to_go = [hours(line.left if device == line.device else 0) for device in DEVICES]
        rows.append([line.step, line.done, line.total, *taken, *to_go])
    return tabulate(rows, header, disable_numparse=True, colalign=["left", *["right"] * 6])


def left(lines: Iterable[Line]) -> str:
    """Say how many hours are left, and what is not in them."""
    sums = []
    for device, name in DEVICES.items():
        known = sum(line.left or 0 for line in lines if line.device == device)
        sums.append(f"{hours(known)} {name} hours")
    unknown = [line.step for line in lines if line.left is None]
    missing = f", and {', '.join(unknown)}, of which nothing was measured yet" if unknown else ""
    return f"Left: {' and '.join(sums)}{missing}."


def progress(jobs: Iterable[Job]) -> str:
    """Name what is begun and not finished, the last moved first. A file does not tell what runs."""
    rows = []
    for job in jobs:
        begun = [t for t in job.trainings if t.history and t.epochs_left] if job.pending else []
        for training in begun:
            last, epochs = training.history[-1], training.task.recipe.epochs
            told = [f"epoch {last['epoch']}/{epochs}", f"loss {last['train_loss']:.4f}"]
            told.append(f"test error {last['test_error']:.4f}")
            rows.append((training.moved, [str(training.task.experiment), *told]))
        if not begun and (started := job.started):
            rows.append((started, [job.family.name, job.step, "", ""]))
    rows.sort(reverse=True)
    told = [[*row, f"{ago(time.time() - moved)} ago"] for moved, row in rows[:MOST]]
    more = [[f"and {len(rows) - MOST} more"]] if len(rows) > MOST else []
    listed = tabulate(told + more, tablefmt="plain")
    return f"Begun, and running, stopped or failed:\n{listed}" if rows else ""


def ago(seconds: float) -> str:
    """Write a length of time in its largest unit."""
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def to_do(files: Iterable[File]) -> str:
    """Name the jobs whose outputs are missing, those that are out of date, and count the rest."""
    jobs = {file.rule: REASONS.get(file.status, CHANGED) for file in files if file.pending}
    counted = Counter(jobs.values())
    said = []
    for reason, count in counted.items():
        names = [rule for rule, of_rule in jobs.items() if of_rule == reason][:FEW]
        more = f", and {count - FEW} more" if count > FEW else ""
        said.append(f"{reason} ({count}): {', '.join(names)}{more}")
    return "\n".join(said)

"""What Snakemake holds for built: its own summary, by step and job."""

import csv
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from layer_robustness.runtime.errors import InputError

MEASURED = ("train", "probe", "joint", "distances", "attack")  # what takes long


@dataclass(frozen=True)
class Made:
    """What one job of a step makes: results of a network or sweep, a data set, a figure, ...

    `state` is `done`, `missing`, `out of date`, or `to follow` where only an input is made again;
    `folder` is where it lies.
    """

    step: str
    name: str
    state: str
    folder: Path


def summary(options: Sequence[str]) -> list[Made]:
    """Ask Snakemake what there is to be made. Nothing is locked or changed: a run may be going on.

    Raises
    ------
    InputError
        If Snakemake refuses the options, with its last line.
    """
    command = [sys.executable, "-m", "snakemake", "--summary", *options]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["snakemake failed"]
        raise InputError(said[-1].removeprefix("error: "))
    outputs = defaultdict(list)
    for row in csv.DictReader(ended.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        path, step = Path(row["output_file"]), row["rule"]
        # results/{preset}/{job}/...
        name = "/".join(path.parts[2:4]) if step in (*MEASURED, "network") else path.stem
        outputs[step, name, path.parent].append(row)
    return [Made(step, name, state_of(rows), at) for (step, name, at), rows in outputs.items()]


def state_of(outputs: Sequence[dict[str, str]]) -> str:
    """Put into a word what Snakemake says of a job's outputs."""
    if all(row["plan"] == "no update" for row in outputs):
        return "done"
    found = {row["status"] for row in outputs}
    if "missing" in found:
        return "missing"
    return "to follow" if found == {"ok"} else "out of date"

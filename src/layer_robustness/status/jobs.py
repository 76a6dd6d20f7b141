"""What Snakemake holds for built, by step and job; hours of one core or GPU that jobs take."""

import csv
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from layer_robustness.experiments import paths
from layer_robustness.runtime.errors import InputError

MEASURED = ("train", "probe", "joint", "distances", "attack", "network")  # what takes long


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

    Raises `InputError` if Snakemake refuses the options, with its last line.
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
        name = "/".join(path.parts[2:4]) if step in MEASURED else path.stem
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


def spent(made: Made) -> float | None:
    """Return the hours that were measured of a job, if any."""
    if made.step == "train":
        rows = read(made.folder / paths.TRAINING, ",")
        return sum(float(row["seconds"]) for row in rows) / 3600 if rows else None
    logs = made.folder.parents[1] / "logs"
    rows = read(logs / f"{made.step}/{made.name}.benchmark.tsv", "\t")
    # Cores add up in cpu_time; a process that uses a GPU mostly waits for it.
    found = [row[column] for row in rows for column in ("s", "cpu_time")]
    seconds = [float(value) for value in found if value != "NA"]
    return max(seconds) / 3600 if seconds else None


def read(path: Path, delimiter: str) -> list[dict[str, str]]:
    """Return the rows of a table; none where there is no such file."""
    return list(csv.DictReader(path.open(), delimiter=delimiter)) if path.exists() else []


def hours_left(jobs: Sequence[Made], known: Mapping[Made, float]) -> dict[Made, float | None]:
    """Return the hours of each job that is to be done.

    A job that has run takes as long again; any other as long as the median of those of the same
    step and kind of network, None if there is none.
    """
    alike = defaultdict(list)
    for made, hours in known.items():
        alike[made.step, kind(made)].append(hours)
    left = {}
    for made in jobs:
        if made.step in MEASURED and made.state != "done":
            measured = [known[made]] if made in known else alike[made.step, kind(made)]
            left[made] = median(measured) if measured else None
    return left


def kind(made: Made) -> str:
    """Name the kind of network, such as `vgg` of cifar10/vgg16."""
    return re.split("[^a-z]", made.name.rpartition("/")[2])[0]

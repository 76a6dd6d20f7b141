"""How long jobs took, and how long the rest may take, in hours of one core or one GPU."""

import csv
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from layer_robustness.experiments import paths
from layer_robustness.status.built import MEASURED, Made


def spent(made: Made) -> float | None:
    """Return the hours that were measured of a job, if any."""
    if made.step == "train":
        rows = read(made.folder / paths.TRAINING, ",")
        # Seeds that a GPU trains at once have the very same seconds, which count once.
        epochs = {(row["network"], row["epoch"], row["seconds"]) for row in rows}
        return sum(float(seconds) for *_, seconds in epochs) / 3600 if epochs else None
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

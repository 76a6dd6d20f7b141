"""How long jobs took, and how long the rest may take, in hours of one core or one GPU."""

import csv
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from layer_robustness.experiments import paths
from layer_robustness.planning import demand
from layer_robustness.planning.plan import Plan
from layer_robustness.status.built import MEASURED, Made


def spent(plan: Plan, made: Made) -> float | None:
    """Return the hours that were measured of a job, if any."""
    results = Path(paths.results(plan.preset))
    if made.step == "train":
        rows = read(results / made.name / paths.TRAINING, ",")
        # Seeds that a GPU trains at once have the very same seconds, which count once.
        epochs = {(row["network"], row["epoch"], row["seconds"]) for row in rows}
        return sum(float(seconds) for *_, seconds in epochs) / 3600 if epochs else None
    rows = read(results / f"logs/{made.step}/{made.name}.benchmark.tsv", "\t")
    # Cores add up in cpu_time; a process that uses a GPU mostly waits for it.
    found = [row[column] for row in rows for column in ("s", "cpu_time")]
    seconds = [float(value) for value in found if value != "NA"]
    return max(seconds) / 3600 if seconds else None


def read(path: Path, delimiter: str) -> list[dict[str, str]]:
    """Return the rows of a table; none where there is no such file."""
    return list(csv.DictReader(path.open(), delimiter=delimiter)) if path.exists() else []


def hours_left(
    plan: Plan, jobs: Sequence[Made], known: Mapping[Made, float]
) -> dict[Made, tuple[float, str]]:
    """Return the hours of each job that is to be done, and `measured` or `asked for`.

    A job that has run takes as long again; any other as long as the median of those of the same
    step and kind of network, else what it asks a cluster for.
    """
    kinds = {made: plan.job(made.name).networks[0].kind for made in jobs if made.step in MEASURED}
    alike = defaultdict(list)
    for made, hours in known.items():
        alike[made.step, kinds[made]].append(hours)
    left = {}
    for made, kind in kinds.items():
        if made.state == "done":
            continue
        if measured := [known[made]] if made in known else alike[made.step, kind]:
            left[made] = median(measured), "measured"
        else:
            source = plan.job(made.name).source
            left[made] = demand.minutes(made.step, source, kind) / 60, "asked for"
    return left

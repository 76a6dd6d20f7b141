"""How long jobs took, and how long the rest may take, in hours of one core or one GPU."""

import csv
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from safetensors import SafetensorError, safe_open

from layer_robustness.experiments import paths
from layer_robustness.experiments.names import Experiment
from layer_robustness.planning import demand
from layer_robustness.planning.plan import Plan
from layer_robustness.status.built import MEASURED, Made


@dataclass(frozen=True)
class Training:
    """How far a network is, by the state that it goes on from, and when that was written."""

    experiment: Experiment
    history: list[dict[str, float]]
    epochs: int
    written: float

    @property
    def done(self) -> int:
        """Epochs done: all of them if its loss is not finite, as it is trained no further then."""
        given_up = self.history and not math.isfinite(self.history[-1]["train_loss"])
        return self.epochs if given_up else min(self.epochs, len(self.history))


def trainings(plan: Plan, name: str) -> list[Training]:
    """Return the networks of a job that have begun; a state that cannot be read is none."""
    job, found = plan.job(name), []
    manifest = Path(paths.result(plan.preset, name, paths.MANIFEST))
    for experiment in (n.seed(seed) for n in job.networks for seed in range(job.seeds)):
        path = paths.resume(manifest, experiment, "state")
        try:
            with safe_open(path, "np") as file:
                history = json.loads(json.loads(file.metadata()["metadata"])["history"])
            found.append(Training(experiment, history, job.recipe.epochs, path.stat().st_mtime))
        except (OSError, ValueError, LookupError, TypeError, SafetensorError):
            continue
    return found


@dataclass(frozen=True)
class Spent:
    """Hours that went into a job, and which share of it they were."""

    hours: float
    share: float = 1


def spent(plan: Plan, made: Made) -> Spent | None:
    """Return what was measured of a job, if anything."""
    share, results = 1.0, Path(paths.results(plan.preset))
    if made.step != "train":
        rows = read(results / f"logs/{made.step}/{made.name}.benchmark.tsv", "\t")
        # Cores add up in cpu_time; a process that uses a GPU mostly waits for it.
        found = [row[column] for row in rows for column in ("s", "cpu_time")]
        seconds = [float(value) for value in found if value != "NA"]
        return Spent(max(seconds) / 3600) if seconds else None
    if made.state == "missing":
        begun, job = trainings(plan, made.name), plan.job(made.name)
        rows = [{"network": t.experiment.network, **row} for t in begun for row in t.history]
        share = sum(t.done for t in begun) / (job.recipe.epochs * job.trainings)
    else:
        rows = read(results / made.name / paths.TRAINING, ",")
    # Seeds that a GPU trains at once have the very same seconds, which count once.
    epochs = {(row["network"], row["epoch"], row["seconds"]) for row in rows}
    seconds = [float(seconds) for *_, seconds in epochs]
    return Spent(sum(seconds) / 3600, share) if seconds else None


def read(path: Path, delimiter: str) -> list[dict[str, str]]:
    """Return the rows of a table; none where there is no such file."""
    return list(csv.DictReader(path.open(), delimiter=delimiter)) if path.exists() else []


def hours_left(
    plan: Plan, jobs: Sequence[Made], known: Mapping[Made, Spent]
) -> dict[Made, tuple[float, str]]:
    """Return the hours of each job that is to be done, and `measured` or `asked for`.

    A job that has run takes as long again, or the share of it that is left; any other as long as
    the median of those of the same step and kind of network, else what it asks a cluster for.
    """
    kinds = {made: plan.job(made.name).networks[0].kind for made in jobs if made.step in MEASURED}
    alike = defaultdict(list)
    for made, measured in known.items():
        alike[made.step, kinds[made]].append(measured.hours / measured.share)
    left = {}
    for made, kind in kinds.items():
        if made.state == "done":
            continue
        if made in known:
            share = known[made].share
            left[made] = (known[made].hours / share * (1 - share or 1), "measured")
        elif (made.step, kind) in alike:
            left[made] = (median(alike[made.step, kind]), "measured")
        else:
            source = plan.job(made.name).source
            left[made] = (demand.minutes(made.step, source, kind) / 60, "asked for")
    return left

"""Times of what has run: histories of training, benchmark files of the other steps."""

import csv
import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open

from layer_robustness.planning.demand import Task, epoch_passes
from layer_robustness.planning.plan import Family

# Device, step, and kind of network; "" is any.
Alike = tuple[str, str, str]


@dataclass(frozen=True)
class Sample:
    """Seconds of a core or of a GPU that some work took.

    kind
        Of the networks; nothing where a job had several.
    work
        In multiply-adds, see `Task.work`.
    """

    step: str
    device: str
    kind: str
    seconds: float
    work: float


@dataclass(frozen=True)
class Training:
    """How far a network has been trained: the rows of its history, and where it ran last."""

    task: Task
    history: tuple[dict, ...] = ()
    device: str = ""
    processes: int = 1
    moved: float = 0  # seconds since the epoch, when its last state was written

    @classmethod
    def read(cls, task: Task) -> "Training":
        """Read the state that training goes on from; an unreadable one is none."""
        path = Path(task.plan.results, str(task.experiment), "resume", "state.safetensors")
        try:
            with safe_open(path, "np") as file:
                state = json.loads(file.metadata()["metadata"])
            machine = json.loads(state["machines"])[-1]
            history = tuple(json.loads(state["history"]))
            moved = path.stat().st_mtime
        except (OSError, ValueError, LookupError, TypeError, SafetensorError):
            return cls(task)
        return cls(task, history, machine["device"], machine["processes"], moved)

    @property
    def epochs_left(self) -> int:
        """Epochs to go."""
        if self.history and not math.isfinite(self.history[-1]["train_loss"]):
            return 0  # it did not train
        return max(0, self.task.recipe.epochs - len(self.history))

    def work(self, epochs: int) -> float:
        """Multiply-adds of so many epochs."""
        return self.task.cost.multiply_adds * epoch_passes(self.task) * epochs

    def sample(self, family: Family) -> Sample | None:
        """Return what its epochs took. The seeds of an FCN train stacked on a GPU, and share it."""
        if not self.history:
            return None
        network = self.task.experiment.network
        stacked = self.device == "cuda" and network.kind == "fcn"
        of_network = [e for e in family.experiments if e.network == network]
        share = self.processes / (len(of_network) if stacked else 1)
        seconds = share * sum(row["seconds"] for row in self.history)
        work = self.work(len(self.history))
        return Sample("train", self.device, network.kind, seconds, work)


def benchmarked(tasks: list[Task], family: Family, device: str) -> Sample | None:
    """Return what a finished job took, by its benchmark file: a GPU's whole time, or the cores'."""
    step, plan = tasks[0].step, tasks[0].plan
    path = Path(plan.results, "logs", step, f"{family.name}.benchmark.tsv")
    try:
        with path.open() as file:
            row = next(csv.DictReader(file, delimiter="\t"))
        seconds = float(row["s" if device == "cuda" else "cpu_time"])
    except (OSError, StopIteration, KeyError, ValueError):
        return None
    kinds = {task.experiment.network.kind for task in tasks}
    kind = kinds.pop() if len(kinds) == 1 else ""
    return Sample(step, device, kind, seconds, sum(task.work for task in tasks))


def rates(samples: Iterable[Sample]) -> dict[Alike, float]:
    """Seconds for each multiply-add of what is alike."""
    seconds, work = Counter(), Counter()
    for sample in samples:
        for kind in {sample.kind, ""}:
            seconds[sample.device, sample.step, kind] += sample.seconds
            work[sample.device, sample.step, kind] += sample.work
    return {key: seconds[key] / work[key] for key in seconds}

"""The heavy jobs of a run: how far each is, what it took, and what the rest of it will take."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from layer_robustness.planning.demand import Demand, Task
from layer_robustness.planning.plan import Family, Plan
from layer_robustness.runtime.machine import has_gpu
from layer_robustness.status.built import File
from layer_robustness.status.measured import Alike, Sample, Training, benchmarked, rates


@dataclass(frozen=True)
class Job:
    """One step of a family of experiments, and the files that it makes."""

    plan: Plan
    step: str
    family: Family
    files: tuple[File, ...]

    @cached_property
    def tasks(self) -> list[Task]:
        """The step of each experiment."""
        return Demand(self.plan, self.step, self.family).tasks

    @cached_property
    def pending(self) -> list[Task]:
        """Those that are to be done."""
        return [
            task
            for task in self.tasks
            if any(file.pending for file in self.files if file.belongs_to(task.experiment))
        ]

    @property
    def out_of_date(self) -> bool:
        """Whether it was done, and what it was made from has changed since."""
        return any(file.out_of_date for file in self.files)

    @cached_property
    def trainings(self) -> list[Training]:
        """How far each network is. What is out of date is trained from the start."""
        if self.step != "train":
            return []
        return [Training(task) if self.out_of_date else Training.read(task) for task in self.tasks]

    @property
    def started(self) -> float:
        """When its log was written last, in seconds since the epoch; 0 if it has not begun."""
        log = Path(self.plan.results, "logs", self.step, f"{self.family.name}.log")
        begun = all(file.status == "missing" for file in self.files) and log.exists()
        return log.stat().st_mtime if begun else 0

    def samples(self, device: str) -> Iterator[Sample]:
        """Yield what has been measured of it; a step but training is known to run on `device`."""
        if self.step == "train":
            found = [training.sample(self.family) for training in self.trainings]
        else:
            found = [] if self.pending else [benchmarked(self.tasks, self.family, device)]
        return filter(None, found)

    def work_left(self, task: Task) -> float:
        """Multiply-adds to go of a pending task."""
        if self.step != "train":
            return task.work
        (training,) = (each for each in self.trainings if each.task is task)
        return training.work(training.epochs_left)


def find_jobs(plan: Plan, files: Iterable[File]) -> list[Job]:
    """Find the heavy jobs among the rules of Snakemake's summary."""
    of_rule = defaultdict(list)
    for file in files:
        of_rule[file.rule].append(file)
    families = {
        "train": plan.families,
        "probe": plan.families,
        "joint": plan.joint_families,
        "distances": plan.families,
        "adversarial": plan.attacked_families,
    }
    return [
        Job(plan, step, family, tuple(of_rule[rule]))
        for step, of_step in families.items()
        for family in of_step
        if (rule := f"{step}_{family.rule}") in of_rule
    ]


@dataclass(frozen=True)
class Line:
    """One step of all experiments.

    measured
        Seconds by device: `cpu`, of a core, or `cuda`.
    device, left
        Where the rest will run, and seconds that it will take; None where nothing was measured.
    """

    step: str
    done: int
    total: int
    measured: dict[str, float]
    device: str
    left: float | None


def add_up(jobs: list[Job]) -> list[Line]:
    """Make a line of the jobs of each step."""
    device = main_device(jobs)
    devices = {job.step: "cpu" if job.step == "distances" else device for job in jobs}
    samples = [sample for job in jobs for sample in job.samples(devices[job.step])]
    speeds = rates(samples)
    return [
        line([job for job in jobs if job.step == step], samples, of_step, speeds)
        for step, of_step in devices.items()
    ]


def main_device(jobs: list[Job]) -> str:
    """Where networks are trained: as configured, else as they were, else a GPU if there is one."""
    wanted = jobs[0].plan.config["device"] if jobs else "cpu"
    if wanted != "auto":
        return wanted
    used = Counter(t.device for job in jobs for t in job.trainings)
    used.pop("", None)
    if used:
        return max(used, key=used.get)
    return "cuda" if has_gpu() else "cpu"


def line(
    jobs: list[Job], samples: Iterable[Sample], device: str, speeds: Mapping[Alike, float]
) -> Line:
    """Add up one step's jobs."""
    step = jobs[0].step
    measured = Counter()
    for sample in samples:
        if sample.step == step:
            measured[sample.device] += sample.seconds
    total = sum(len(job.tasks) for job in jobs)
    pending = sum(len(job.pending) for job in jobs)
    left = seconds_left(jobs, device, speeds)
    return Line(step, total - pending, total, dict(measured), device, left)


def seconds_left(jobs: Iterable[Job], device: str, speeds: Mapping[Alike, float]) -> float | None:
    """Estimate from networks of the same kind, else from all of the same step; None without any."""
    seconds = 0.0
    for job in jobs:
        for task in job.pending:
            kind = task.experiment.network.kind
            speed = speeds.get((device, job.step, kind), speeds.get((device, job.step, "")))
            if speed is None:
                return None
            seconds += speed * job.work_left(task)
    return seconds

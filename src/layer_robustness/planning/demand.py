"""What a job asks a cluster for: memory and time, from the work that it has to do.

Asking for too much means a longer wait in the queue, and for too little that the job is submitted
again: both grow with the attempt.
"""

import math
from dataclasses import dataclass
from functools import cached_property

from layer_robustness.experiments.names import Experiment
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.planning.config import in_folder, recipe_of
from layer_robustness.planning.cost import IMAGES, Cost, Images, cost
from layer_robustness.planning.plan import Family, Plan

# Multiply-adds a second. A GPU's is assumed, not measured: about a tenth of what makers state.
CORE = 3e9
GPU = 1e12
# Seconds of a step of training on a GPU, however small the network is: launches; assumed.
STEP = 0.002
# Photographs that a core decodes and crops in a second; assumed.
DECODED = 50
# Going back through a network costs about twice as much as going forward.
FORWARD_AND_BACK = 3

START = 10  # minutes: Python, torch, data, and a file system that others use too
DAY = 24 * 60  # minutes: many clusters allow no more, and what was stopped goes on

TORCH = 1500  # MB: a process with torch, without its data
CUDA = 4000  # MB of the host's memory that go with a GPU
FORKED = 300  # MB: a further process, which shares the first one's modules and data
COPIES = 6  # of weights: gradients, momentum, and what is on its way from or to a file
KEPT = 4  # numbers for each that a layer puts out: normalized, activated, and their gradients

CORES = 16  # that are asked for at most: larger machines are rare


@dataclass(frozen=True)
class Task:
    """One step of one experiment: `train`, `probe`, `joint`, `distances` or `adversarial`."""

    plan: Plan
    step: str
    experiment: Experiment

    @cached_property
    def recipe(self) -> Recipe:
        """How the experiment is trained."""
        return recipe_of(self.plan.config, self.experiment.network)

    @cached_property
    def images(self) -> Images:
        """How many images there are, and how large they are."""
        return IMAGES[self.plan.source(self.experiment.network.dataset)]

    @cached_property
    def cost(self) -> Cost:
        """What the network costs."""
        return cost(self.experiment.network, self.images, self.recipe.width)

    @property
    def sources(self) -> int:
        """How many states units are reset to."""
        return self.plan.config["probe"]["draws"] + len(self.recipe.checkpoints)

    @property
    def work(self) -> float:
        """Multiply-adds of the whole step."""
        return self.cost.multiply_adds * PASSES[self.step](self)

    @property
    def gpu_seconds(self) -> float:
        """Time on one GPU."""
        batches = math.ceil(self.images.train / self.recipe.batch_size)
        steps = self.recipe.epochs * batches if self.step == "train" else 0
        return max(self.work / GPU, steps * STEP)

    @property
    def memory_mb(self) -> float:
        """Memory for weights and activations."""
        states = COPIES + (0 if self.step == "train" else self.sources)
        batches = {
            "train": self.recipe.batch_size,
            "adversarial": self.plan.config["adversarial"]["batch_size"],
        }
        activations = KEPT * batches.get(self.step, 0) * self.cost.activations
        numbers = states * self.cost.parameters + activations
        return numbers * (8 if self.recipe.precision == "float64" else 4) / 1e6


def epoch_passes(task: Task) -> float:
    """Forward passes of an image that an epoch of training is worth."""
    return FORWARD_AND_BACK * task.images.train + task.images.test


def train_passes(task: Task) -> float:
    """All epochs."""
    return task.recipe.epochs * epoch_passes(task)


def probe_passes(task: Task) -> float:
    """Each unit, and the whole. What is below a unit is computed once: half of it, on average."""
    units = 1 + len(task.experiment.network.units) / 2
    return task.images.test * (1 + task.sources * units)


def joint_passes(task: Task) -> float:
    """Each group, and the units that are not in it."""
    groups = task.plan.joint_groups(task.experiment.network)
    return task.images.test * (1 + task.sources * 2 * len(groups))


def distances_passes(task: Task) -> float:
    """A few: files are read, and every weight is looked at once."""
    return task.sources


def adversarial_passes(task: Task) -> float:
    """Each classifier without attack, under FGSM, PGD, and PGD over expected gradients."""
    attacks = task.plan.config["adversarial"]
    gradients = 1 + attacks["steps"] * (1 + attacks["eot_draws"])
    attacked = FORWARD_AND_BACK * gradients * attacks["test_examples"]
    classifiers = len(task.plan.replaced(task.experiment.network))
    return classifiers * attacks["repetitions"] * (task.images.test + attacked)


PASSES = {
    "train": train_passes,
    "probe": probe_passes,
    "joint": joint_passes,
    "distances": distances_passes,
    "adversarial": adversarial_passes,
}


@dataclass(frozen=True)
class Demand:
    """What a job needs that does one step of a family of experiments.

    Without GPUs each experiment has a process of one thread, where there are cores for it.
    """

    plan: Plan
    step: str
    family: Family

    @cached_property
    def tasks(self) -> list[Task]:
        """The step of each experiment."""
        return [Task(self.plan, self.step, experiment) for experiment in self.family.experiments]

    @property
    def decodes(self) -> bool:
        """Whether images are decoded, each time that they are seen."""
        return self.step == "train" and in_folder(self.plan.config, self.family.dataset)

    def runtime(self, cores: int, gpus: int, attempt: int = 1) -> int:
        """Minutes to ask for."""
        works = [task.work for task in self.tasks]
        seconds = max(max(works), sum(works) / cores) / CORE
        if gpus:
            seconds = sum(task.gpu_seconds for task in self.tasks) / gpus
        if self.decodes:
            seen = sum(task.recipe.epochs * task.images.train for task in self.tasks)
            seconds = max(seconds, seen / DECODED / cores)
        return min(DAY, attempt * math.ceil(START + seconds / 60))

    def memory_mb(self, cores: int, gpus: int, attempt: int = 1) -> int:
        """Memory of the machine to ask for; what lies on a GPU is counted too."""
        images = self.tasks[0].images
        processes = gpus or min(cores, len(self.tasks))
        needed = TORCH + processes * max(task.memory_mb for task in self.tasks)
        needed += FORKED * (cores if self.decodes else processes)
        needed += CUDA * gpus
        if self.step in ("probe", "joint"):
            needed += 1000 * self.plan.config["probe"]["memory_gb"]
        in_memory = not in_folder(self.plan.config, self.family.dataset)
        if in_memory and self.step != "distances":  # twice: as it is read
            needed += 2 * math.prod(images.shape) * (images.train + images.test) / 1e6
        return attempt * math.ceil(needed)


def preparing_imagenet(cores: int) -> dict[str, int]:
    """Resources to prepare ImageNet: its test images are held in memory, twice as they are written.

    The time is that of one core: many clusters' file systems are slow with small files.
    """
    images = IMAGES["imagenet"]
    pixels = math.prod(images.shape) * images.test / 1e6
    return {
        "mem_mb": math.ceil(TORCH + 2 * pixels + FORKED * cores),
        "runtime": START + math.ceil(images.test / DECODED / 60),
    }

# The plan: what the config asks for, checked before any job runs.
import io
import os
import re
import shlex
from contextlib import redirect_stderr
from difflib import get_close_matches
from functools import cache, partial

import yaml
from snakemake.cli import parse_args

from layer_robustness.data.image_listing import digest, folder_digest
from layer_robustness.experiments import paths
from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.names import BEYOND, DATASETS
from layer_robustness.paper import calibration, values
from layer_robustness.planning import demand
from layer_robustness.planning.config import check
from layer_robustness.planning.imports import source_files
from layer_robustness.planning.plan import TARGETS, Plan
from layer_robustness.runtime.machine import has_gpu

SCHEMA = yaml.safe_load(
    Path(workflow.source_path("../schemas/config.schema.yaml")).read_text()
)


def or_exit(function, *arguments):
    """Call a function of the package; wrong input ends Snakemake in one line."""
    try:
        return function(*arguments)
    except InputError as error:
        sys.exit(f"error: {error}")


or_exit(
    check, config, SCHEMA, {n for target in TARGETS.values() for n in target.networks}
)
PLAN = Plan(config)
PRESET = PLAN.preset
JOB = f"{paths.results(PRESET)}/{{job}}"  # what one job trained and measured
SHOWN = paths.shown(PRESET)
LOGS = f"{paths.results(PRESET)}/logs"
DEVICE = config["device"]


def one_of(names):
    """The constraint of a wildcard that is one of some names."""
    return "|".join(map(re.escape, names)) or "(?!)"


PAPERS = rf"({one_of(DATASETS)})/[^/]+"


wildcard_constraints:
    job=PAPERS,  # but for training
    source=one_of(demand.SIZES),
    rate=r"[0-9.e-]+",


resource_scopes:
    # profiles/default limits the GPUs of one machine, not those of a cluster.
    gpu="local",


def job_of(wildcards):
    """Return the plan's job of these wildcards."""
    return or_exit(PLAN.job, wildcards.job)


def on_cluster():
    """Whether jobs are or would be submitted, or this is one: all have to ask for the same."""
    # A dry run has an executor of its own. Only use_threads, which Snakemake sets for executors that
    # submit jobs, shows what the real run would do.
    dry = workflow.dryrun and workflow.execution_settings.use_threads
    return workflow.non_local_exec or workflow.remote_exec or dry


def processes(wildcards):
    """Processes that train a network together, one per GPU; only ImageNet is worth it."""
    return config["gpu"] if job_of(wildcards).in_folder else 1


def gpus(step, wildcards):
    """GPUs of a job. On a cluster, the login node that submits it may have none."""
    uses_one = DEVICE == "cuda" or (DEVICE == "auto" and (on_cluster() or has_gpu()))
    if step == "distances" or not uses_one:
        return 0
    return processes(wildcards) if step == "train" else 1


def cores(step, wildcards):
    """A process for each training, or to decode images; on a GPU one process does the rest."""
    job = job_of(wildcards)
    if step == "train" and job.in_folder:
        return demand.CORES
    trainings = 1 if gpus(step, wildcards) else len(job.networks) * job.seeds
    return min(demand.CORES, trainings)


def source_of_job(wildcards):
    """The images, whose number and size tell how long a job takes."""
    return job_of(wildcards).source


def needs(step, source=source_of_job):
    """Resources of a step: what a cluster is asked for, and options that change no result."""

    def runtime(wildcards, attempt):
        kind = job_of(wildcards).networks[0].kind if step == "train" else ""
        first = demand.minutes(step, source(wildcards), kind)
        return min(attempt * first, demand.DAY)

    def mem_mb(wildcards, threads, attempt):
        probes = step in ("probe", "joint", "network")
        extra = config["probe"]["memory_gb"] if probes else 0
        gpu = gpus(step, wildcards)
        return attempt * demand.memory_mb(source(wildcards), threads, gpu, extra)

    return {
        "gpu": partial(gpus, step),
        "runtime": runtime,
        "mem_mb": mem_mb,
        "device": DEVICE,
        "memory_gb": config["probe"]["memory_gb"],
    }


def check_gpus():
    """Refuse to start more processes than GPUs: a job gets no more than --resources allows."""
    wanted = max((config["gpu"] for job in PLAN.jobs if job.in_folder), default=1)
    limit = workflow.global_resources.get("gpu").value
    if DEVICE == "cpu" or wanted == 1 or limit is None or limit >= wanted:
        return
    sys.exit(
        f"error: config key gpu is {wanted}, but this run gives a job {limit} at most: "
        f"add --resources gpu={wanted}, or set gpu to {max(1, limit)}"
    )


check_gpus()


def asked_targets():
    """Targets on the command line, of which Snakemake tells rules only after it has read them."""
    if Path(sys.argv[0]).name not in ("snakemake", "__main__.py"):
        return []
    with redirect_stderr(io.StringIO()):  # it names the profile once more
        _, arguments = parse_args(sys.argv[1:])
    return arguments.targets


def check_targets():
    """Refuse targets that no rule makes, naming the nearest ones; to be called after all rules."""
    rules = [rule.name for rule in workflow.rules if not rule.has_wildcards()]
    for target in asked_targets():
        path = os.path.relpath(target)  # as Snakemake does
        makers = [rule for rule in workflow.rules if rule.is_producer(path)]
        for step in makers:
            if job := step.get_wildcards(path).get("job"):
                or_exit(PLAN.check, step.name, job)
        if not makers and target not in rules:
            nearest = get_close_matches(path, [*rules, *ALL, *files()], cutoff=0.4)
            sys.exit(
                f"error: no rule makes {target}; the nearest targets are "
                f"{', '.join(nearest) or 'none'} (README.md says how to list all of them)"
            )


def files():
    """Name all that rules make of each job, entry and data set."""
    for step in workflow.rules:
        names = {
            "job": [job.name for job in PLAN.jobs if not job.lacks(step.name)],
            "entry": config["beyond"],
            "source": demand.SIZES,
        }
        for wildcard, values in names.items():
            if step.wildcard_names == {wildcard}:
                made = (
                    file.apply_wildcards({wildcard: value})
                    for file in step.output
                    for value in values
                )
                yield from filter(step.is_producer, made)


# ImageNet's folder, where data and training need it. What counts is the images, not where they are.
IMAGES = (
    f"--images {shlex.quote(config['imagenet_path'])}"
    if config["imagenet_path"]
    else ""
)


def images(wildcards):
    """The option for a data set whose training images stay in a folder."""
    return IMAGES if job_of(wildcards).in_folder else ""


@cache
def which_images(wildcards):
    """A digest of ImageNet's images: if they change, they are prepared again; not if they move.

    It is a function so that Snakemake calls it only if a run includes the job that prepares them.
    """
    return or_exit(folder_digest, Path(config["imagenet_path"])) if IMAGES else ""


# Of the config's `beyond`.
def entry_of(wildcards):
    """Return the config's entry of these wildcards."""
    return or_exit(PLAN.entry, wildcards.entry)


def trainer_of(wildcards):
    """The job that trains what an entry probes; none for weights that are given."""
    return or_exit(PLAN.trainer, entry_of(wildcards))


def trained(file, wildcards):
    """A file of the job that trains what an entry probes, if there is one."""
    job = trainer_of(wildcards)
    return paths.result(PRESET, job.name, file) if job else []


def data_of_entry(wildcards):
    """The prepared data set that was trained on; none for a folder of images."""
    job = trainer_of(wildcards)
    return ancient(paths.data(job.source)) if job else []


def where(wildcards):
    """The option that says where the images are, which changes no number."""
    images = data_of_entry(wildcards) or entry_of(wildcards).data
    return f"--data {shlex.quote(str(images))}"


@cache
def images_of_entry(wildcards):
    """A digest of the images in an entry's folder: if they change, they are tested again."""
    entry = entry_of(wildcards)
    return "" if entry.network else or_exit(digest, {"": Path(entry.data)})


def source_of_entry(wildcards):
    """The data set that tells how large images are; photographs are as large as ImageNet's."""
    job = trainer_of(wildcards)
    return job.source if job else "imagenet"


def of_trials(file):
    """A file of each trial: of each network whose first epochs the paper shows, at each rate."""
    shown = calibration.published(or_exit(values.load, Path(PAPER)))
    networks = or_exit(calibration.trained, shown, PLAN.runs)
    return expand(file, job=networks, rate=config["calibration"]["rates"])


# Run this checkout's package, even if another one is installed. `exec` replaces the shell, so that
# signals reach Python and the job ends only when Python does.
shell.prefix(f"export PYTHONPATH={str(SOURCE)!r}; exec ")


def shown_by(command, options):
    """The shell line of a step that shows results."""
    read = (
        f"--results {{input.results}} --manifests {{input.manifests}} --preset {PRESET}"
    )
    return (
        f"python -m layer_robustness.commands.{command} {read} {options} > {{log}} 2>&1"
    )

# The plan: what the config asks for, checked before any job runs.
import json
import shlex
import sys
from functools import cache, partial
from pathlib import Path

import yaml

SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))

from layer_robustness.planning.config import check, in_folder
from layer_robustness.planning.demand import CORES, Demand, preparing_imagenet
from layer_robustness.runtime.errors import InputError
from layer_robustness.figures.registry import FIGURES
from layer_robustness.data.image_listing import folder_digest
from layer_robustness.planning.imports import source_files
from layer_robustness.report.labels import labels
from layer_robustness.runtime.machine import has_gpu
from layer_robustness.planning.plan import Plan
from layer_robustness.planning.shared_cache import cached_steps, check_links
from layer_robustness.tables.registry import DRAWS, TABLES

SCHEMA = yaml.safe_load(
    Path(workflow.source_path("../schemas/config.schema.yaml")).read_text()
)
TARGETS = FIGURES | TABLES
NETWORKS = {network for target in TARGETS.values() for network in target.networks}
try:
    check(config, SCHEMA, NETWORKS)
    check_links(Path("results"))
    CACHED = cached_steps(workflow.workflow_settings.cache)
except InputError as error:
    sys.exit(f"error: {error}")

PLAN = Plan(config)
LOGS = f"{PLAN.results}/logs"
DEVICE = config["device"]


resource_scopes:
    # Of one machine: jobs of a cluster do not share what profiles/default allows.
    gpu="local",


def on_cluster():
    """Whether jobs are or would be submitted, or this is one: all have to ask for the same."""
    # A dry run has another executor than the run it stands for, of which one trace is left: where
    # that one submits jobs, Snakemake sets use_threads.
    dry = workflow.dryrun and workflow.execution_settings.use_threads
    return workflow.non_local_exec or workflow.remote_exec or dry


def gpus(step, family):
    """GPUs of a job. A login node, from which jobs are submitted, need not have what they get."""
    if step == "distances" or DEVICE == "cpu":
        return 0
    if DEVICE == "auto" and not (on_cluster() or has_gpu()):
        return 0
    return processes(family) if step == "train" else 1


def cores(step, family, wildcards=None):
    """A process for each experiment, or to decode images; on a GPU one process does the rest."""
    if decodes(step, family):
        return CORES
    wanted = 1 if gpus(step, family) else len(family.experiments)
    return min(CORES, wanted) if on_cluster() else wanted


def processes(family):
    """Processes that train a network together, one for each GPU, or as many on a CPU."""
    return config["gpu"] if decodes("train", family) else 1


def decodes(step, family):
    """Whether a job trains on files of images: only that is worth several GPUs."""
    return Demand(PLAN, step, family).decodes


def check_gpus():
    """Refuse to start more processes than GPUs: a job gets no more than --resources allows."""
    wanted = max(map(processes, PLAN.families))
    limit = workflow.global_resources.get("gpu").value
    if DEVICE == "cpu" or wanted == 1 or limit is None or limit >= wanted:
        return
    sys.exit(
        f"error: config key gpu is {wanted}, but this run gives a job {limit} at most: "
        f"add --resources gpu={wanted}, or set gpu to {max(1, limit)}"
    )


check_gpus()


def demand(step, family):
    """Resources: what a cluster is asked for, and options that make no result out of date."""
    needs = Demand(PLAN, step, family)
    return {
        "gpu": lambda wildcards: gpus(step, family),
        "mem_mb": lambda wildcards, threads, attempt: needs.memory_mb(
            threads, gpus(step, family), attempt
        ),
        "runtime": lambda wildcards, threads, attempt: needs.runtime(
            threads, gpus(step, family), attempt
        ),
        "device": DEVICE,
    }


# ImageNet's folder, where data and training need it. What counts is the images, not where they are.
IMAGES = (
    f"--images {shlex.quote(config['imagenet_path'])}"
    if config["imagenet_path"]
    else ""
)


def images(dataset):
    """The option for a data set whose training images stay in a folder."""
    return IMAGES if in_folder(config, dataset) else ""


@cache
def which_images(wildcards):
    """A digest of ImageNet's images: if they change, they are prepared again; not if they move.

    It is a function so that Snakemake calls it only if a run includes the job that prepares them.
    """
    try:
        return folder_digest(Path(config["imagenet_path"])) if IMAGES else ""
    except InputError as error:
        sys.exit(f"error: {error}")


def target_params(target):
    """Parameters that figures and tables have in common."""
    return {
        "preset": config["preset"],
        "name": target.name,
        "seeds": json.dumps(PLAN.target_seeds(target)),
        "small_print": PLAN.small_print(target),
    }


def setups_of(*targets):
    """How the networks of figures, tables or claims are run."""
    return PLAN.setups(dict.fromkeys(n for target in targets for n in target.networks))


def compared(*targets):
    """Inputs of a step that compares results of figures, tables or claims."""
    sources = {setup["data"] for setup in setups_of(*targets).values()}
    files = [file for target in targets for file in PLAN.target_files(target)]
    return {
        "results": list(dict.fromkeys(files)),
        "data": [f"results/data/{source}.json" for source in sorted(sources)],
    }


# The checkout's own package is what runs, installed or not. It takes the shell's place, so that a
# signal to the job reaches it and nobody ends before it does.
shell.prefix(f"export PYTHONPATH={str(SOURCE)!r}; exec ")

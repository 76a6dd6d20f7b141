# The plan: what the config asks for, checked before any job runs.
import json
import shlex
import shutil
import sys
from pathlib import Path

import yaml

SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))

from layer_robustness.config import check, in_folder
from layer_robustness.errors import InputError
from layer_robustness.figures.registry import FIGURES
from layer_robustness.imports import source_files
from layer_robustness.listing import labels
from layer_robustness.plan import Plan
from layer_robustness.tables.registry import DRAWS, TABLES

SCHEMA = yaml.safe_load(
    Path(workflow.source_path("../schemas/config.schema.yaml")).read_text()
)
TARGETS = FIGURES | TABLES
NETWORKS = {network for target in TARGETS.values() for network in target.networks}
try:
    check(config, SCHEMA, NETWORKS)
except InputError as error:
    sys.exit(f"error: {error}")

PLAN = Plan(config)
LOGS = f"{PLAN.results}/logs"
# A resource, not a parameter: another device does not make a result out of date.
DEVICE = config["device"]
# `gpu` is what profiles cap and clusters schedule by; on `auto` it counts where there is a GPU.
GPU = int(
    DEVICE == "cuda" or (DEVICE == "auto" and shutil.which("nvidia-smi") is not None)
)


def workers(family):
    """A process for each experiment of a job; on a GPU one does them all."""
    return 1 if GPU else len(family.experiments)


# ImageNet's folder, where data or training need it. What counts is the images, not where they are.
IMAGES = (
    f"--images {shlex.quote(config['imagenet_path'])}"
    if config["imagenet_path"]
    else ""
)


def images(dataset):
    """The option for a data set whose training images stay in a folder."""
    return IMAGES if in_folder(config, dataset) else ""


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

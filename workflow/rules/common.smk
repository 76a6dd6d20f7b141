# The plan: what the config asks for, checked before any job runs.
import json
import shutil
import sys
from pathlib import Path

import yaml

SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))

from layer_robustness.config import check
from layer_robustness.errors import InputError
from layer_robustness.figures.registry import FIGURES
from layer_robustness.imports import source_files
from layer_robustness.plan import Plan

SCHEMA = yaml.safe_load(
    Path(workflow.source_path("../schemas/config.schema.yaml")).read_text()
)
NETWORKS = {network for figure in FIGURES.values() for network in figure.networks}
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
    return 1 if GPU else len(PLAN.experiments(family.networks))


# The checkout's own package is what runs, installed or not.
shell.prefix(f"export PYTHONPATH={str(SOURCE)!r}; ")

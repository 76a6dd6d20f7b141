"""Targets that a user types, checked before Snakemake looks for a rule that makes them."""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path

from layer_robustness.experiments import paths
from layer_robustness.planning.beyond import entries
from layer_robustness.planning.config import check_job, missing_data
from layer_robustness.planning.demand import SIZES
from layer_robustness.planning.plan import Job, Plan
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.bits import path_of

DATA = tuple(file(source) for source in SIZES for file in (paths.data, paths.summary))
MISSED_PROBE, MISSED_JOINT = (path_of(Path(table)).name for table in (paths.PROBE, paths.JOINT))
FILES = (paths.MANIFEST, paths.TRAINING, "checkpoints", paths.PROBE, MISSED_PROBE)
FILES += (paths.JOINT, MISSED_JOINT, paths.DISTANCES, paths.ADVERSARIAL)
OF_ENTRIES = (paths.PROBE, "critical.txt", "heatmap.pdf", "heatmap.png")
NEAREST = 3


def check_target(target: str, rules: Iterable[str], shown: Iterable[str], plan: Plan) -> None:
    """Refuse a target that no rule makes: name the nearest ones, or what a result lacks."""
    target = os.path.relpath(target)  # as Snakemake does
    results = f"{paths.results(plan.preset)}/"
    probed = entries(plan.config).values()
    known = [*rules, *shown, paths.STRUCTURE, *DATA]
    known += [f"{results}{entry.job}/{file}" for entry in probed for file in OF_ENTRIES]
    calibration = (f"{results}calibration/", paths.shown(plan.preset, "calibration."))
    made = target.startswith((f"{results}logs/", *calibration))
    if target in known or made or Path(target).is_file():
        return
    job, _, file = target.removeprefix(results).rpartition("/")
    if target.startswith(results) and file in FILES:
        check_result(plan.job(job), file)
        return
    known += [f"{results}{job.name}/{file}" for job in plan.jobs for file in files_of(job)]
    nearest = difflib.get_close_matches(target, dict.fromkeys(known), NEAREST, cutoff=0.4)
    raise InputError(
        f"no rule makes {target}; the nearest targets are {', '.join(nearest) or 'none'} "
        "(README.md says how to list all of them)"
    )


def files_of(job: Job) -> list[str]:
    """Name the result files that a job can have."""
    own = job.networks[0].kind == "own"
    absent = {
        MISSED_PROBE: own,
        paths.JOINT: not job.groups,
        MISSED_JOINT: not job.groups,
        paths.DISTANCES: own,
        paths.ADVERSARIAL: not job.replaced,
    }
    return [file for file in FILES if not absent.get(file)]


def check_result(job: Job, file: str) -> None:
    """Refuse a result that cannot be had; any network has most of them, not only the paper's."""
    if reason := missing_data(job.config, job.networks[0]):
        raise InputError(f"{job.name} is not trained here: there is {reason}")
    check_job(job.config, job.name)
    if file not in files_of(job):
        shown = dict.fromkeys((paths.JOINT, MISSED_JOINT), "resets groups of its units")
        shown |= {paths.ADVERSARIAL: "attacks it"}
        reason = f"no figure or table {shown.get(file, 'shows it')}"
        raise InputError(f"{job.name} has no {file}: {reason}")

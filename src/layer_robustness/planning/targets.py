"""Targets that a user types, checked before Snakemake looks for a rule that makes them."""

import difflib
from collections.abc import Iterable
from pathlib import Path

from layer_robustness.experiments import paths
from layer_robustness.planning.config import missing_source, recipe_of
from layer_robustness.planning.plan import Job, Plan
from layer_robustness.runtime.errors import InputError

FILES = (
    *(paths.MANIFEST, paths.TRAINING, paths.PROBE, paths.JOINT, paths.DISTANCES),
    paths.ADVERSARIAL,
)
NEAREST = 3


def check_target(target: str, rules: Iterable[str], shown: Iterable[str], plan: Plan) -> None:
    """Refuse a target that no rule makes.

    Raises
    ------
    InputError
        Naming the nearest targets that there are.
    """
    if target in (*rules, *shown, paths.STRUCTURE) or Path(target).is_file():
        return
    results = f"{paths.results(plan.preset)}/"
    calibration = (f"{results}calibration/", paths.shown(plan.preset, "calibration."))
    if target.startswith((f"{paths.DATA}/", f"{results}logs/", *calibration)):
        return
    job, _, file = target.removeprefix(results).rpartition("/")
    if target.startswith(results) and file in FILES and job not in (j.name for j in plan.jobs):
        check_job(plan.job(job))
        return
    known = [*rules, *shown, *(results + f"{j.name}/{name}" for j in plan.jobs for name in FILES)]
    if target in known:
        return
    nearest = difflib.get_close_matches(target, known, NEAREST, cutoff=0.4)
    raise InputError(
        f"no rule makes {target}; the nearest targets are {', '.join(nearest) or 'none'} "
        "(README.md says how to list all of them)"
    )


def check_job(job: Job) -> None:
    """Refuse a network without data or recipe; any that has both is a target, not only the paper's.

    Raises
    ------
    InputError
        Saying what is missing.
    """
    if reason := missing_source(job.config, job.dataset):
        raise InputError(f"{job.name} is not trained here: there is {reason}")
    recipe_of(job.config, job.networks[0])

"""Hours that each preset asks a cluster for, and the disk that its weights take.

Hours are those of planning/demand.py, one job after the other on one GPU; nothing is measured.
ImageNet counts, wherever its images are; of networks beyond the paper only training. Weights are
the checkpoints, the fresh draws and the last state of each seed, four bytes a parameter.
"""

from pathlib import Path

import torch
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from layer_robustness.experiments import paths
from layer_robustness.models.recipes import build_by
from layer_robustness.planning import demand
from layer_robustness.planning.plan import TARGETS, Job, Plan

STEPS = {
    paths.TRAINING: "train",
    paths.PROBE: "probe",
    paths.JOINT: "joint",
    paths.DISTANCES: "distances",
    paths.ADVERSARIAL: "attack",
}
SHAPES = {"mnist": (1, 28, 28), "cifar10": (3, 32, 32), "imagenet": (3, 224, 224)}


def config_of(preset: str) -> dict:
    """Put a preset over the shared defaults, as the Snakefile does; ImageNet lies somewhere."""
    config = load_configfile("config/defaults.yaml")
    update_config(config, load_configfile(f"config/presets/{preset}.yaml"))
    return config | {"imagenet_path": "somewhere"}


def asked_hours(job: Job, files: set[str]) -> float:
    """Hours of the steps that make a job's files."""
    kind, steps = job.networks[0].kind, {STEPS[file] for file in files} | {"train"}
    return sum(demand.minutes(step, job.source, kind) for step in steps) / 60


def weights_gb(job: Job) -> float:
    """GB of a job's checkpoints, draws and states."""
    classes = 1000 if job.source == "imagenet" else 10
    with torch.device("meta"):
        networks = [
            build_by(job.recipe, network, SHAPES[job.dataset], classes) for network in job.networks
        ]
    parameters = sum(value.numel() for n in networks for value in n.state_dict().values())
    return 4e-9 * parameters * (len(job.recipe.checkpoints) + job.draws + 1) * job.seeds


def main() -> None:
    print("| preset | data set | jobs | hours (asked for) | disk, GB |\n|---|---|---:|---:|---:|")
    for preset in sorted(path.stem for path in Path("config/presets").glob("*.yaml")):
        plan = Plan(config_of(preset))
        files = {job.name: set() for job in plan.jobs}
        for file in map(Path, plan.files(*TARGETS.values())):
            files["/".join(file.parts[2:4])].add(file.name)
        total = [0, 0, 0]
        for dataset in SHAPES:
            jobs = [job for job in plan.jobs if job.dataset == dataset]
            hours = sum(asked_hours(job, files[job.name]) for job in jobs)
            row = [len(jobs), hours, sum(map(weights_gb, jobs))]
            total = [before + more for before, more in zip(total, row, strict=True)]
            print(f"| {preset} | {dataset} | {row[0]} | {row[1]:.0f} | {row[2]:.1f} |")
        print(f"| {preset} | all | {total[0]} | {total[1]:.0f} | {total[2]:.1f} |")


if __name__ == "__main__":
    main()

"""What jobs ask a cluster for: of the tables, and of what a dry run would submit."""

import subprocess

import pytest

from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments.names import VARIANTS
from layer_robustness.planning import demand
from layer_robustness.planning.demand import CUDA, DAY, MEMORY, PROCESS, SIZES, TRAIN
from support.checkout import ROOT
from support.image_folders import write_images
from support.plans import PRESETS, plan
from support.snakemake_runs import resources, snakemake, told_of_jobs

HEAVY = {"imagenet", "train", "probe", "joint", "distances", "attack"}


def test_the_table_has_the_size_of_every_source():
    assert set(SIZES) == set(SOURCES)
    assert set(TRAIN) == {*VARIANTS, "own"}
    assert all(set(row) == set(MEMORY) for row in TRAIN.values())


@pytest.mark.parametrize("preset", PRESETS)
def test_every_step_of_a_preset_has_minutes_and_fits_a_large_machine(preset):
    for job in plan(preset, imagenet_path="x").jobs:
        steps = ["train", "probe", "distances", *["joint"] * bool(job.groups)]
        for step in [*steps, *["attack"] * bool(job.replaced)]:
            assert 0 < demand.minutes(step, job.source, job.networks[0].kind) <= DAY
        assert 0 < demand.memory_mb(job.source, demand.CORES, gpus=1, extra_gb=4) < 64_000


def test_memory_is_that_of_data_processes_cuda_and_what_a_probe_may_use():
    alone = demand.memory_mb("cifar10", threads=1, gpus=0)
    assert alone == MEMORY["small"] > demand.memory_mb("digits5k", threads=1, gpus=0)
    assert demand.memory_mb("cifar10", 3, 1, 0.5) == alone + 2 * PROCESS + CUDA + 500


@pytest.fixture(scope="module")
def submitted(tmp_path_factory) -> subprocess.CompletedProcess:
    """What a login node without a GPU would submit of the paper preset."""
    images = write_images(tmp_path_factory.mktemp("images"))
    config = ["--config", "preset=paper", f"imagenet_path={images}"]
    options = ("-n", "--forceall", "--executor", "slurm", "--jobs", "99")
    return snakemake(ROOT, *options, config=config, targets=[], cores=99)


def test_a_cluster_is_asked_for_what_each_job_needs(submitted):
    """A GPU, though there is none in sight, and no more cores than nodes have."""
    small = resources(submitted, "train", "cifar10/vgg16")
    assert (small["gpu"], small["threads"], small["processes"]) == (1, 1, 1)
    assert small["runtime"] == TRAIN["vgg"]["small"]
    assert small["mem_mb"] == demand.memory_mb("cifar10", 1, 1)
    probe = resources(submitted, "probe", "cifar10/vgg16")
    assert probe["mem_mb"] == demand.memory_mb("cifar10", 1, 1, probe["memory_gb"])
    assert resources(submitted, "train", "imagenet/resnet50")["threads"] == demand.CORES
    distances = resources(submitted, "distances", "cifar10/resnet50")
    assert (distances["gpu"], distances["threads"]) == (0, 1)
    images = resources(submitted, "imagenet", "imagenet")
    assert images["threads"] == demand.CORES and "gpu" not in images
    assert images["runtime"] == demand.PREPARE_IMAGENET


def test_every_job_has_a_log_and_what_is_measured_a_benchmark(submitted):
    jobs_of = told_of_jobs(submitted)
    assert set(jobs_of) > HEAVY
    for rule, jobs in jobs_of.items():
        for told in jobs:
            assert ("log:" in told) == ("output:" in told), rule
            assert ("benchmark:" in told) == (rule in HEAVY - {"imagenet", "train"}), rule
            assert ("runtime=" in told) == (rule in HEAVY), rule  # the others stay where they are

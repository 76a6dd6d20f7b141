"""How many GPUs the plan gives to jobs; no test needs one."""

import os
from functools import partial

import pytest

from support.snakemake_runs import configured, jobs, resources, snakemake, with_imagenet

STAND_IN = """
with open({asked!r}, "a") as asked:
    print("asked", file=asked)
class cuda:
    is_available = staticmethod(lambda: {found})
"""


@pytest.mark.parametrize("found", [False, True])
def test_the_plan_has_the_gpus_that_torch_finds(built, tmp_path, found):
    """This torch has an answer, and nothing else.

    It is asked once, and only where a job is to run that could use a GPU.
    """
    asked = tmp_path / "asked"
    (tmp_path / "torch.py").write_text(STAND_IN.format(asked=str(asked), found=found))
    path = f"{tmp_path}:{os.environ['PATH']}"
    dry_run = partial(
        *(snakemake, built, "-nF"),
        config=configured(tmp_path, {"device": "auto"}),
        environment={"PATH": path, "PYTHONPATH": str(tmp_path)},
    )
    assert jobs(dry_run(targets=["results/data/digits5k.json"])) == {"data"}
    assert not asked.exists()
    ended = dry_run(targets=["paper_figures/tiny/figure1.pdf"])
    assert resources(ended, "train")["gpu"] == resources(ended, "probe")["gpu"] == found
    assert resources(ended, "distances")["gpu"] == 0
    assert asked.read_text() == "asked\n"


IN_FILES, IN_MEMORY = "imagenet/resnet18", "mnist/fcn3x256"


def plan(built, tmp_path, *options: str, device: str):
    """What would be done to train both, with four GPUs."""
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
    config = configured(tmp_path, with_imagenet(tmp_path, gpu=4, device=device))
    targets = [f"results/tiny/{job}/checkpoints.json" for job in (IN_FILES, IN_MEMORY)]
    return snakemake(built, "-nF", *options, config=config, targets=targets)


def test_more_gpus_than_a_run_allows_are_refused_in_one_line(built, tmp_path):
    ended = plan(built, tmp_path, device="cuda")
    assert ended.returncode == 1 and "Building DAG" not in ended.stderr
    assert ended.stderr.splitlines()[-1] == (
        "error: config key gpu is 4, but this run gives a job 1 at most: "
        "add --resources gpu=4, or set gpu to 1"
    )


@pytest.mark.parametrize(
    ("options", "device", "gpus"),
    [(["--resources", "gpu=4"], "cuda", [4, 1]), ([], "cpu", [0, 0])],
    ids=["allowed", "on a CPU"],
)
def test_several_gpus_are_planned_for_images_in_files(built, tmp_path, options, device, gpus):
    ended = plan(built, tmp_path, *options, device=device)
    assert [resources(ended, "train", job)["gpu"] for job in (IN_FILES, IN_MEMORY)] == gpus

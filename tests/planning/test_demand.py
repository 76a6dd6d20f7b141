"""What jobs ask for, against sums by hand and against what sbatch is given."""

import json
import os
import re
import shutil
import subprocess

import pytest

from layer_robustness.experiments.names import parse_experiment
from layer_robustness.planning.demand import CORE, CUDA, DAY, GPU, START, STEP, TORCH, Demand
from layer_robustness.planning.plan import Family
from support.checkout import ROOT, files
from support.plans import plan

# Multiply-adds of a pass, and parameters, of FCN 3x256 on 28x28 pixels.
PASS = 784 * 256 + 2 * 256 * 256 + 256 * 10
PARAMETERS = PASS + 3 * 256 + 10


def demand(step: str, *names: str, preset: str = "paper", **changes) -> Demand:
    family = Family("some", tuple(map(parse_experiment, names)))
    return Demand(plan(preset, **changes), step, family)


def work(step: str, name: str, **keywords) -> float:
    (task,) = demand(step, name, **keywords).tasks
    return task.work


def test_work_is_what_a_step_computes():
    """In the paper preset: 100 epochs of 60,000 images, 10,000 for testing, 3 + 8 sources."""
    name = "mnist/fcn3x256/seed0"
    assert work("train", name) == PASS * 100 * (3 * 60_000 + 10_000)
    # four layers, of which half is computed on average, and the whole, and the network itself
    assert work("probe", name) == PASS * 10_000 * (1 + 11 * 3)
    joint = work("joint", "mnist/fcn5x256/seed0")
    groups = len(plan("paper").joint_groups(parse_experiment("mnist/fcn5x256/seed0").network))
    assert joint == (PASS + 2 * 256 * 256) * 10_000 * (1 + 2 * groups * 11) and groups == 3
    # 1,000 images, 5 repetitions, 3 classifiers; FGSM, PGD, and PGD over 20 choices, of 20 steps
    passes = 3 * 5 * (10_000 + 3 * 1_000 * (1 + 20 + 20 * 20))
    name = "cifar10/resnet4^2/seed0"
    (task,) = demand("adversarial", name).tasks
    assert task.work == task.cost.multiply_adds * passes


def test_more_data_depth_width_and_epochs_ask_for_more():
    minutes = [
        demand("train", name, preset=preset, imagenet_path="x").runtime(cores=1, gpus=1)
        for preset, name in [
            ("config", "cifar10/resnet50/seed0"),
            ("paper", "cifar10/resnet50/seed0"),
            ("paper", "cifar10/resnet152/seed0"),
            ("paper", "imagenet/resnet18/seed0"),
        ]
    ]
    assert minutes == sorted(set(minutes)) and minutes[-1] == DAY
    memory = [
        demand("train", f"cifar10/{model}/seed0").memory_mb(cores=1, gpus=1)
        for model in ("fcn3x256", "resnet18", "resnet50", "resnet152")
    ]
    assert memory == sorted(set(memory))


def test_time_is_work_by_speed_and_grows_with_the_attempt_up_to_a_day():
    one = demand("train", "mnist/fcn3x256/seed0")
    seconds = PASS * 100 * 190_000 / CORE
    assert one.runtime(cores=1, gpus=0) == -(-(START * 60 + seconds) // 60)
    assert one.runtime(cores=1, gpus=0, attempt=2) == 2 * one.runtime(cores=1, gpus=0)
    assert one.runtime(cores=1, gpus=0, attempt=1000) == DAY
    five = demand("train", *(f"mnist/fcn3x256/seed{seed}" for seed in range(5)))
    assert five.runtime(cores=5, gpus=0) == one.runtime(cores=1, gpus=0)
    assert five.runtime(cores=1, gpus=0) == -(-(START * 60 + 5 * seconds) // 60)
    assert five.runtime(cores=1, gpus=1) == START + -(-5 * 100 * 469 * STEP // 60)
    large = demand("train", "cifar10/resnet50/seed0")
    seconds = large.tasks[0].work / GPU
    assert large.runtime(cores=1, gpus=1) == START + -(-seconds // 60)
    assert large.runtime(cores=1, gpus=2) == START + -(-seconds // 120)


def test_files_that_are_decoded_take_the_time_that_decoding_takes():
    config = plan("paper", imagenet_path="x").config
    config["training"]["imagenet/resnet*"]["epochs"] = 1
    config["training"]["imagenet/resnet*"]["checkpoints"] = [0, 1]
    slow = demand("train", "imagenet/resnet18/seed0", **config)
    assert slow.runtime(cores=16, gpus=64) == START + -(-1_281_167 // (50 * 16 * 60))


def test_memory_is_that_of_torch_data_weights_and_activations():
    needs = demand("train", "mnist/fcn3x256/seed0", "mnist/fcn3x256/seed1")
    images = 2 * 28 * 28 * 70_000 / 1e6
    states = 4 * (6 * PARAMETERS + 4 * 128 * (3 * 256 + 10)) / 1e6
    alone, both = needs.memory_mb(cores=1, gpus=0), needs.memory_mb(cores=2, gpus=0)
    assert alone == pytest.approx(TORCH + 300 + images + states, abs=1)
    assert both == pytest.approx(alone + 300 + states, abs=1)
    assert needs.memory_mb(cores=1, gpus=1) == alone + CUDA
    assert needs.memory_mb(cores=1, gpus=0, attempt=3) == 3 * alone
    probe = demand("probe", "mnist/fcn3x256/seed0").memory_mb(cores=1, gpus=0)
    sources = 4 * (6 + 11) * PARAMETERS / 1e6
    assert probe == pytest.approx(TORCH + 300 + images + 8000 + sources, abs=1)
    distances = demand("distances", "mnist/fcn3x256/seed0").memory_mb(cores=1, gpus=0)
    assert distances == pytest.approx(TORCH + 300 + sources, abs=1)  # no image is read


@pytest.mark.parametrize("preset", ["config", "fashion", "paper"])
def test_nothing_asks_for_more_than_a_day_or_than_a_large_machine(preset):
    of_preset = plan(preset, imagenet_path="x")
    steps = dict.fromkeys(("train", "probe", "distances"), of_preset.families)
    steps |= {"joint": of_preset.joint_families, "adversarial": of_preset.attacked_families}
    for step, families in steps.items():
        for family in families:
            needs = Demand(of_preset, step, family)
            assert START < needs.runtime(16, 1) <= DAY
            assert TORCH < needs.memory_mb(16, 1) < 64_000, (step, family.name)


@pytest.fixture(scope="module")
def login_node(tmp_path_factory):
    """A copy of the checkout, and a sbatch that refuses every job; Snakemake tells what it got."""
    folder = tmp_path_factory.mktemp("login") / "checkout"
    for name in files():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    # All that Snakemake asks before it submits; sacct fails where no accounts are kept.
    commands = {"sbatch": 1, "squeue": 1, "sacct": 1, "sinfo": 0, "scontrol": 0}
    for command, status in commands.items():
        (folder / "bin").mkdir(exist_ok=True)
        (folder / "bin" / command).write_text(f"#!/bin/sh\nexit {status}\n")
        (folder / "bin" / command).chmod(0o755)
    return folder


def submitted(folder, *targets: str, **settings) -> dict[str, dict[str, str]]:
    """Options of sbatch by rule."""
    (folder / "settings.yaml").write_text(json.dumps(settings))
    command = ["snakemake", "--executor", "slurm", "--jobs", "99", "--keep-going"]
    command += ["--configfile", "tests/support/tiny.yaml", "settings.yaml", "--default-resources"]
    command += ["slurm_partition=main", "--slurm-init-seconds-before-status-checks", "1", "--"]
    ended = subprocess.run(
        [*command, *targets],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder}/bin:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    calls = re.findall(r"--comment rule_(\S+) (.*?)-D .*?( --gpus=\d+)? --wrap", ended.stderr)
    assert calls, ended.stderr
    return {rule: dict(re.findall(r"-(\w|-[\w-]+)[ =](\w+)", " ".join(o))) for rule, *o in calls}


def test_a_cluster_is_asked_for_what_each_job_needs(login_node):
    """What is light, or needs a network, stays; without a GPU in sight, one is asked for."""
    figures = [f"paper_figures/figure{number}.pdf" for number in (1, 2, 7)]
    asked = submitted(login_node, *figures, device="auto")
    assert (login_node / "results/data/digits5k.json").exists()
    assert (login_node / "paper_figures/figure7.pdf").exists()
    families = ("mnist_fcn3x256", "mnist_fcn5x256", "mnist_figure2", "cifar10_figure2")
    assert set(asked) == {f"train_{family}" for family in families}
    for options in asked.values():
        assert options["-gpus"] == "1" and options["-cpus-per-task"] == "1"
        assert int(options["t"]) > START and int(options["-mem"]) > TORCH + CUDA
    on_cpus = submitted(login_node, "paper_figures/figure2.pdf", device="cpu")
    assert {rule: options["-cpus-per-task"] for rule, options in on_cpus.items()} == {
        "train_mnist_fcn3x256": "1",
        "train_mnist_fcn5x256": "1",
        "train_mnist_figure2": "10",
        "train_cifar10_figure2": "12",
    }
    assert not any("-gpus" in options for options in on_cpus.values())


def test_a_job_never_asks_for_more_cores_than_nodes_have(login_node):
    seeds = {"training": {"mnist/fcn*": {"seeds": 9}}}
    asked = submitted(login_node, "paper_figures/figure2.pdf", device="cpu", **seeds)
    assert asked["train_mnist_figure2"]["-cpus-per-task"] == "16"


def test_decoding_imagenet_is_submitted(login_node):
    for split in ("train", "val"):
        (login_node / "images" / split).mkdir(parents=True)
    recipe = {"imagenet/resnet*": {"augmentation": "resized_crop_flip"}}
    imagenet = {"datasets": {"imagenet": "imagenet"}, "training": recipe}
    asked = submitted(login_node, "results/data/imagenet.json", imagenet_path="images", **imagenet)
    (options,) = asked.values()
    assert int(options["-mem"]) > 2 * 50_000 * 3 * 224 * 224 / 1e6
    assert options["-cpus-per-task"] == "16" and "-gpus" not in options


def test_every_job_has_a_log_and_every_heavy_one_a_benchmark():
    ended = subprocess.run(
        ["snakemake", "--forceall", "-n"], cwd=ROOT, capture_output=True, text=True
    )
    jobs = re.findall(r"^(?:local)?rule (\S+):\n((?: {4}.+\n)+)", ended.stdout, re.M)
    assert len(jobs) > 90, ended.stderr
    heavy = re.compile("data|(train|probe|joint|distances|adversarial)_")
    for rule, described in jobs:
        has_files = "output:" in described
        assert ("log:" in described) == has_files, rule
        assert ("benchmark:" in described) == bool(heavy.match(rule)), rule
    assert {heavy.match(rule)[0] for rule, _ in jobs if heavy.match(rule)} == {
        *("data", "train_", "probe_", "joint_", "distances_", "adversarial_")
    }

"""What the status says, against what Snakemake would do and against sums by hand."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from layer_robustness.runtime.machine import has_gpu
from layer_robustness.status.built import File, read_config, summary
from layer_robustness.status.jobs import add_up, find_jobs
from layer_robustness.status.page import hours, page
from layer_robustness.training.state import TrainState
from support.checkout import ROOT
from support.plans import plan
from support.signals import assert_stopped, signalled
from support.snakemake_runs import SOURCE, TINY, copy_checkout, edit, planned, snakemake

FIGURE = ["paper_figures/figure1.pdf"]
NETWORK = "results/tiny/mnist/fcn3x256/seed0"


def status(folder: Path, *options: str) -> str:
    """What the command prints."""
    ended = subprocess.run(
        [sys.executable, "-m", "layer_robustness.commands.status", *FIGURE, *TINY, *options],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder / "src")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    return ended.stdout


def row(printed: str, step: str) -> list[str]:
    """Columns of a step's row: done, of, and hours."""
    (found,) = (line.split()[1:] for line in printed.splitlines() if line.startswith(f"{step} "))
    return found


def pending(folder: Path) -> set[str]:
    """Rules that the summary holds to be run again."""
    here = Path.cwd()
    os.chdir(folder)
    try:
        return {file.rule for file in summary([*FIGURE, *TINY]) if file.pending}
    finally:
        os.chdir(here)


@pytest.fixture(scope="module")
def empty(tmp_path_factory) -> Path:
    """A copy of the checkout in which nothing was built."""
    return copy_checkout(tmp_path_factory.mktemp("empty") / "checkout")


@pytest.fixture(scope="module")
def built(empty, tmp_path_factory) -> Path:
    """One in which Figure 1 was built."""
    folder = tmp_path_factory.mktemp("built") / "checkout"
    shutil.copytree(empty, folder, copy_function=shutil.copy2)
    ended = snakemake(folder, targets=FIGURE)
    assert ended.returncode == 0, ended.stderr
    return folder


@pytest.fixture
def checkout(built, tmp_path) -> Path:
    """A copy of that, to be spoiled."""
    return Path(shutil.copytree(built, tmp_path / "checkout", copy_function=shutil.copy2))


def test_where_nothing_was_built_no_hours_are_made_up(empty):
    printed = status(empty)
    assert "0 of 11 files are built" in printed
    assert row(printed, "train") == ["0", "1", "0", "0", "?", "0"]
    assert "and train, probe, distances, of which nothing was measured yet" in printed
    assert "Missing (5): " in printed and "Begun" not in printed
    assert not (empty / "results/tiny").exists()


def test_where_all_is_built_hours_are_those_that_training_took(built):
    printed = status(built)
    assert "11 of 11 files are built" in printed
    took = pd.read_csv(built / NETWORK / "training.csv")["seconds"].sum()
    assert row(printed, "train") == ["1", "1", hours(took), "0", "0", "0"]
    benchmark = "results/tiny/logs/probe/mnist/fcn3x256.benchmark.tsv"
    took = pd.read_csv(built / benchmark, sep="\t")["cpu_time"].item()
    assert row(printed, "probe") == ["1", "1", hours(took), "0", "0", "0"]
    assert "Missing" not in printed and "Out of date" not in printed
    assert status(built, "--watch") == printed  # it ends, as there is nothing to wait for


@pytest.mark.parametrize(
    "module", ["probing/engine.py", "training/loop.py", "figures/heatmap.py", "planning/plan.py"]
)
def test_what_snakemake_would_do_again_is_not_built(checkout, module):
    edit(checkout / SOURCE / module)
    assert pending(checkout) == planned(checkout, targets=FIGURE)


def test_what_is_out_of_date_is_told_from_what_follows(checkout):
    edit(checkout / SOURCE / "probing/engine.py")
    printed = status(checkout)
    assert "Out of date (1): probe_mnist_fcn3x256" in printed
    assert "To follow (1): figure1" in printed
    assert row(printed, "train")[:2] == ["1", "1"] and row(printed, "probe")[:2] == ["0", "1"]
    edit(checkout / SOURCE / "training/loop.py")
    printed = status(checkout)
    assert row(printed, "train")[:2] == ["0", "1"] and "?" in row(printed, "train")


def test_touched_files_are_built(checkout):
    for path in [*(checkout / "src").rglob("*.py"), *(checkout / "results").rglob("*.*")]:
        path.touch()
    assert "11 of 11 files are built" in status(checkout)


def test_other_options_are_those_of_snakemake(empty):
    printed = status(empty, "--config", "preset=other")
    assert "0 of 11 files" in printed
    options = [*FIGURE, "--configfile", str(ROOT / "tests/support/tiny.yaml"), "--config", "gpu=3"]
    config = read_config(options)
    assert config["preset"] == "tiny" and config["gpu"] == 3 and config["precision"] == "float32"


def test_what_snakemake_refuses_is_told_in_one_line(empty):
    ended = subprocess.run(
        [sys.executable, "-m", "layer_robustness.commands.status", "--config", "device=tpu"],
        cwd=empty,
        env=os.environ | {"PYTHONPATH": str(empty / "src")},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1 and ended.stdout == ""
    assert ended.stderr == "error: config key device is 'tpu'; allowed: auto, cpu, cuda\n"


def test_a_status_that_is_stopped_is_none(empty):
    built = "layer_robustness.status.built"
    command = ("status", *FIGURE, *TINY)
    assert_stopped(
        signalled(signal.SIGINT, built, "read_config", *command, cwd=empty), signal.SIGINT
    )


def test_a_run_is_watched_while_it_goes_on_and_after_it_was_killed(checkout):
    """Neither disturbs the other: the status reads what the run is writing."""
    shutil.rmtree(checkout / "results/tiny/mnist")
    recipe = {"training": {"mnist/fcn*": {"epochs": 2000, "checkpoints": [0, 2000]}}}
    (checkout / "longer.yaml").write_text(yaml.safe_dump(recipe))
    with subprocess.Popen(
        ["snakemake", *TINY, "longer.yaml", "--cores", "1", *FIGURE],
        cwd=checkout,
        start_new_session=True,
        stderr=subprocess.DEVNULL,
    ) as process:
        state = checkout / NETWORK / "resume/state.safetensors"
        while not state.exists():
            assert process.poll() is None
            time.sleep(0.05)
        time.sleep(2)
        during = status(checkout, "longer.yaml")
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGKILL)
    killed = status(checkout, "longer.yaml")
    for printed in (during, killed):
        assert "stopped or failed:\nmnist/fcn3x256/seed0  epoch " in printed
        assert "/2000  loss 0." in printed and " s ago" in printed
        done, of, taken, _, left, _ = row(printed, "train")
        assert (done, of) == ("0", "1") and 0 < float(taken) < float(left)


def write_history(experiment: str, seconds: list[float], device: str) -> None:
    rows = [
        {
            "epoch": epoch,
            "rate": 0.1,
            "train_loss": 1,
            "train_error": 1,
            "test_error": 1,
            "seconds": s,
        }
        for epoch, s in enumerate(seconds, 1)
    ]
    machine = {"device": device, "processes": 1}
    state = TrainState({}, history=rows, machines=[machine])
    state.save(Path("results/quick", experiment, "resume/state.safetensors"), "some")


def jobs_of(of_quick, *missing: str):
    """Jobs of these rules, of which nothing is built."""
    experiments = {f"train_{family.rule}": family.experiments for family in of_quick.families}
    experiments |= {f"probe_{family.rule}": family.experiments for family in of_quick.families}
    return find_jobs(
        of_quick,
        [
            File(f"results/quick/{experiment}/file", rule, "missing", pending=True)
            for rule in missing
            for experiment in experiments[rule]
        ],
    )


def test_hours_left_are_those_of_the_epochs_left_at_the_speed_of_the_like(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    of_quick = plan(device="cpu")
    write_history("cifar10/vgg16/seed0", [10, 20, 30], "cpu")  # of 12 epochs
    write_history("cifar10/resnet50/seed0", [7], "cpu")  # of 5
    jobs = jobs_of(
        of_quick, "train_cifar10_vgg16", "train_cifar10_resnet50", "train_cifar10_vgg16_wd"
    )
    (line,) = add_up(jobs)
    assert (line.step, line.done, line.total) == ("train", 0, 3)
    assert line.measured == {"cpu": 67}
    # VGG16: 9 epochs of 20 s; VGG16+wd all 12 of them; ResNet50: 4 epochs of 7 s
    assert line.left == pytest.approx(9 * 20 + 12 * 20 + 4 * 7)


def test_a_kind_that_was_not_measured_goes_by_the_work_of_the_others(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_history("cifar10/vgg16/seed0", [20] * 12, "cpu")
    jobs = jobs_of(plan(device="cpu"), "train_cifar10_vgg16", "train_cifar10_resnet50")
    vgg, resnet = (
        job.tasks[0] for job in sorted(jobs, key=lambda job: "resnet" in job.family.name)
    )
    (line,) = add_up(jobs)
    assert line.left == pytest.approx(12 * 20 * resnet.work / vgg.work)


def test_hours_of_a_core_say_nothing_about_a_gpu(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_history("cifar10/vgg16/seed0", [20], "cpu")
    jobs = jobs_of(plan(device="cuda"), "train_cifar10_vgg16")
    (line,) = add_up(jobs)
    assert (line.measured, line.device, line.left) == ({"cpu": 20}, "cuda", None)
    write_history("cifar10/vgg16/seed0", [2, 2], "cuda")
    (line,) = add_up(jobs_of(plan(device="auto"), "train_cifar10_vgg16"))
    assert (line.measured, line.device, line.left) == ({"cuda": 4}, "cuda", pytest.approx(20))


def test_where_nothing_has_run_the_device_is_what_torch_finds(tmp_path, monkeypatch):
    """Not what a driver's program, which may be there without a GPU, seems to say."""
    monkeypatch.chdir(tmp_path)
    Path("nvidia-smi").write_text("#!/bin/sh\n")
    Path("nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    has_gpu.cache_clear()
    (line,) = add_up(jobs_of(plan(device="auto"), "train_cifar10_vgg16"))
    assert line.device == "cpu"


def test_seeds_that_trained_stacked_on_a_gpu_share_its_time(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for seed in range(5):
        write_history(f"mnist/fcn3x256/seed{seed}", [3] * 10, "cuda")
    (line,) = add_up(jobs_of(plan(device="cuda"), "train_mnist_fcn3x256"))
    assert line.measured["cuda"] == pytest.approx(30)
    assert line.left == pytest.approx(20 * 3)


def test_the_page_names_what_is_begun(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_history("cifar10/vgg16/seed0", [20], "cpu")
    jobs = jobs_of(plan(device="cpu"), "train_cifar10_vgg16", "probe_cifar10_vgg16")
    log = Path("results/quick/logs/probe/cifar10/vgg16.log")
    log.parent.mkdir(parents=True)
    log.touch()
    os.utime(log, (time.time(), time.time() - 600))
    printed = page([file for job in jobs for file in job.files], jobs)
    assert "cifar10/vgg16        probe" in printed and "10 min ago" in printed
    assert "cifar10/vgg16/seed0  epoch 1/12  loss 1.0000  test error 1.0000  0 s ago" in printed
    assert "Left: 0.061 CPU hours and 0 GPU hours, and probe, of which nothing" in printed
    assert "Missing (2): train_cifar10_vgg16, probe_cifar10_vgg16" in printed


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\x10" * 100])
def test_a_damaged_state_is_no_progress(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    path = Path("results/quick/cifar10/vgg16/seed0/resume/state.safetensors")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (line,) = add_up(jobs_of(plan(device="cpu"), "train_cifar10_vgg16"))
    assert line.measured == {} and line.left is None

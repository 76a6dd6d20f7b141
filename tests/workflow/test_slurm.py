"""A real cluster of one node: jobs are submitted, killed and out of time, and go on."""

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
import yaml

from support import slurm_cluster
from support.snakemake_runs import copy_checkout
from support.training import history, weights

pytestmark = pytest.mark.slurm

RECIPE = {"seeds": 2, "epochs": 100, "milestones": [60], "checkpoints": [0, 1, 100]}
CONFIG = {"preset": "cluster", "device": "auto", "training": {"*/fcn*": RECIPE}}
MODULE = "layer_robustness.commands.train"
LATE, KILLED = NETWORKS = ("mnist/fcn3x256", "mnist/fcn5x256")
FIGURES = ("figure1", "figure8")
# The profile as it is, but with less patience. The first job of one network gets two minutes.
CLUSTER = ["--profile", "profiles/slurm", "--latency-wait", "5"]
CLUSTER += ["--slurm-init-seconds-before-status-checks", "7", "--set-threads", "probe=3"]
MINUTES = f"train:runtime=2 if wildcards.job == '{LATE}' and attempt == 1 else 10"
CLUSTER += ["--set-resources", MINUTES, "--cores", "100"]


@pytest.fixture(scope="module")
def cluster():
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(slurm_cluster.running())
        except slurm_cluster.Unavailable as why:
            pytest.skip(f"no SLURM: {why}")
        yield


def checkout(folder: Path) -> Path:
    """A copy of this checkout with the config of these tests."""
    copy_checkout(folder)
    (folder / "cluster.yaml").write_text(yaml.safe_dump(CONFIG))
    return folder


@contextlib.contextmanager
def started(folder: Path, *options: str) -> Iterator[subprocess.Popen]:
    """Run Snakemake in a checkout, with what it says in the file `said`, and not for longer."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = ["snakemake", *options, "--configfile", "tests/support/tiny.yaml", "cluster.yaml"]
    command += ["--", *(f"paper_figures/cluster/{figure}.pdf" for figure in FIGURES)]
    with (
        (folder / "said").open("w") as said,
        subprocess.Popen(
            command, cwd=folder, env=environment, stdout=said, stderr=subprocess.STDOUT
        ) as run,
    ):
        try:
            yield run
        finally:
            run.kill()


def records() -> list[dict[str, str]]:
    """What SLURM knows of each job, first to last."""
    shown = slurm_cluster.call("scontrol", "show", "job", "--oneliner")
    jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in shown.splitlines()]
    return sorted((job for job in jobs if "Comment" in job), key=lambda job: int(job["JobId"]))


def of(step: str, network: str) -> list[dict[str, str]]:
    """The jobs of a step of a network, first to last."""
    comment = f"rule_{step}_wildcards_{network.replace('/', '_')}"
    return [job for job in records() if job["Comment"] == comment]


def waits(job: str) -> bool:
    """Whether a job is in the queue."""
    return slurm_cluster.call("squeue", "-h", "-j", job, "-o", "%T").strip() == "PENDING"


def trainer(network: str, folder: Path) -> int:
    """Process id of the training of a network in a checkout."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        here = process.info["cwd"] == str(folder.resolve())
        if here and words[1:3] == ["-m", MODULE] and any(network in word for word in words):
            return process.pid
    raise ProcessLookupError(network)


def log(network: str, folder: Path) -> str:
    """What the training of a network in a checkout says."""
    path = folder / f"results/cluster/logs/train/{network}.log"
    return path.read_text(errors="replace") if path.exists() else ""


def when(actions: dict[tuple[str, str], Callable], folder: Path, run: subprocess.Popen) -> None:
    """Do for each network and words what is to be done once its log has them, in any order.

    Which of two jobs that wait for the same GPU gets it first is SLURM's to say.
    """
    end = time.monotonic() + 600
    while actions:
        due = [(network, words) for network, words in actions if words in log(network, folder)]
        for key in due:
            actions.pop(key)()
        said = (folder / "said").read_text()
        assert run.poll() is None and time.monotonic() < end, f"waited for {list(actions)}\n{said}"
        time.sleep(0.1)


def preempt(job: str) -> None:
    """Push a job off the node, and have it back before the two minutes that SLURM waits."""
    everything = ("--partition=urgent", "--cpus-per-task=16")
    slurm_cluster.call("sbatch", *everything, "--output=/dev/null", "--wrap=true")
    slurm_cluster.until(lambda: waits(job), 60, f"job {job} is not in the queue again")
    slurm_cluster.call("scontrol", "update", f"JobId={job}", "StartTime=now")


@pytest.fixture(scope="module")
def beside(tmp_path_factory) -> Iterator[tuple[Path, subprocess.Popen]]:
    """The same on this machine, begun while the cluster is waited for."""
    folder = checkout(tmp_path_factory.mktemp("local") / "checkout")
    with started(folder, "--cores", "2") as run:
        yield folder, run


@pytest.fixture(scope="module")
def disturbed(cluster, beside, tmp_path_factory) -> Path:
    """Built on a cluster: one training killed, then preempted, and one that had no time left."""
    folder = checkout(tmp_path_factory.mktemp("cluster") / "checkout")

    def jobs() -> list[str]:
        return [job["JobId"] for job in of("train", KILLED)]

    def hold() -> None:
        """Let the time of its first job pass before it is at its end; SLURM then wakes it up."""
        if len(of("train", LATE)) == 1:  # where the machine is busy, it was late by itself
            os.kill(trainer(LATE, folder), signal.SIGSTOP)

    actions = {
        (LATE, " epoch 1/"): hold,
        (KILLED, " epoch 10/"): lambda: slurm_cluster.call("scancel", jobs()[0]),
        (KILLED, " goes on after "): lambda: preempt(jobs()[1]),
    }
    with started(folder, *CLUSTER) as run:
        when(actions, folder, run)
        assert run.wait(900) == 0, (folder / "said").read_text()
    return folder


@pytest.fixture(scope="module")
def undisturbed(beside) -> Path:
    """Built on this machine."""
    folder, run = beside
    assert run.wait(600) == 0, (folder / "said").read_text()
    return folder


def test_heavy_steps_are_submitted_and_light_ones_stay(disturbed):
    steps = {(job["Comment"].split("_")[1], job["Comment"].split("_")[-1]) for job in records()}
    assert steps == {
        *((step, "fcn3x256") for step in ("train", "probe", "distances")),
        *((step, "fcn5x256") for step in ("train", "joint")),
    }
    said = (disturbed / "said").read_text()
    for rule in ("data", "figure"):
        assert re.search(rf"^localrule {rule}:", said, re.M)


def test_each_job_asks_for_what_it_needs_or_was_set(disturbed):
    """A GPU, though this machine and the node have none; more memory in the second attempt."""
    first, second = of("train", KILLED)
    megabytes = [int(re.search(r"mem=(\d+)M", job["TRES"])[1]) for job in (first, second)]
    assert megabytes[1] == 2 * megabytes[0]
    cores = {"train": "1", "joint": "1", "distances": "2", "probe": "3"}
    for job in records():
        step = job["Comment"].split("_")[1]
        gpu = "gres/gpu" in job["TRES"] or "gpu" in job.get("TresPerJob", "")
        assert gpu == (step != "distances") and job["CPUs/Task"] == cores[step]
    assert of("train", LATE)[0]["TimeLimit"] == "00:02:00"
    assert first["TimeLimit"] == "00:10:00"


def test_who_was_killed_or_preempted_or_had_no_time_left_saved_and_went_on(disturbed):
    states = {network: [job["JobState"] for job in of("train", network)] for network in NETWORKS}
    assert states[KILLED] == ["CANCELLED", "COMPLETED"]
    assert of("train", KILLED)[1]["Restarts"] == "1"
    assert states[LATE] == ["TIMEOUT", "COMPLETED"]
    said = (disturbed / "said").read_text()
    for network in NETWORKS:  # Snakemake shows the log of a job that failed
        assert re.search(rf"{network}/seed\d saved after \d+ batches of epoch \d+", said)
        told = log(network, disturbed)
        assert re.search(rf"^{network}/seed\d goes on after \d+ epochs", told, re.M)
        assert " epoch 1/" not in told.partition(f"{network}/seed1")[0]
    assert said.count("stopped by SIGTERM: run it again to go on") >= 2
    assert "Trying to restart job" in said and "Traceback" not in said


def test_results_are_those_of_an_undisturbed_run(disturbed, undisturbed):
    for network in NETWORKS:
        ours, others = (run / "results/cluster" / network for run in (disturbed, undisturbed))
        assert weights(ours) == weights(others)
        assert history(ours) == history(others)
    for figure in FIGURES:
        csv = f"paper_figures/cluster/{figure}.csv"
        assert (disturbed / csv).read_bytes() == (undisturbed / csv).read_bytes()

"""Real Snakemake runs in copies of this checkout, and what there is to change between them."""

import multiprocessing
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from snakemake import cli

from support.checkout import ROOT, files

TINY = ["--configfile=tests/support/tiny.yaml"]
SOURCE = Path("src/layer_robustness")
# What the tests of the workflow build once: FCNs, a VGG of no figure, the ResNets of Table 2.
FIGURES = [f"paper_figures/tiny/figure{number}.pdf" for number in (1, 8)]
PROBE_OF_VGG = "results/tiny/cifar10/vgg11/probe.csv"
TABLE = "paper_figures/tiny/table2.csv"
BUILT = [*FIGURES, PROBE_OF_VGG, TABLE]
# Not forked from the tests, in which threads of other libraries may run, but from a process that
# has only imported Snakemake.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["snakemake.cli", "snakemake.workflow"])


def copy_checkout(folder: Path) -> Path:
    """Copy what git knows, or would."""
    for name in files():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def snakemake(
    folder: Path,
    *arguments: str,
    targets: Sequence[str],
    config: Sequence[str] = TINY,
    environment: Mapping[str, str] | None = None,
    cores: int | None = 2,
) -> subprocess.CompletedProcess:
    """Run Snakemake in a checkout; `cores=None` leaves their number to the profile."""
    command = [*targets, *config, *arguments]
    if cores is not None:
        command += ["--cores", str(cores)]
    with tempfile.TemporaryDirectory() as said:
        streams = Path(said, "stdout"), Path(said, "stderr")
        given = folder, command, dict(environment or {}), streams
        process = SERVER.Process(target=be_snakemake, args=given)
        process.start()
        process.join()
        told = [stream.read_text(errors="replace") for stream in streams]
    return subprocess.CompletedProcess(command, process.exitcode, *told)


def be_snakemake(
    folder: Path, command: list[str], environment: dict[str, str], streams: Sequence[Path]
) -> None:
    """Be Snakemake in a forked process: it starts in no time, as it is imported already."""
    for number, stream in enumerate(streams, start=1):
        os.dup2(os.open(stream, os.O_WRONLY | os.O_CREAT), number)
    sys.stdout, sys.stderr = os.fdopen(1, "w", buffering=1), os.fdopen(2, "w", buffering=1)
    os.chdir(folder)
    os.environ.pop("PYTHONPATH", None)
    os.environ.update(environment)
    # The workflow imports the package of its own checkout.
    for name in [name for name in sys.modules if name.startswith("layer_robustness")]:
        del sys.modules[name]
    sys.path = [path for path in sys.path if not Path(path).is_relative_to(ROOT / "src")]
    sys.argv = ["snakemake", *command]
    cli.main(command)


def jobs(ended: subprocess.CompletedProcess) -> set[str]:
    """Names of the rules that ran, or would run."""
    return set(counts(ended))


def counts(ended: subprocess.CompletedProcess) -> dict[str, int]:
    """How often each rule ran, or would run."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = re.search(r"^job +count\n-.*\n((?:.+\n)+?)total", ended.stdout + ended.stderr, re.M)
    rows = (line.split() for line in table[1].splitlines()) if table else ()
    return {rule: int(count) for rule, count in rows}


def planned(folder: Path, *arguments: str, **keywords) -> set[str]:
    """Names of the rules that would run."""
    return jobs(snakemake(folder, "-n", *arguments, **keywords))


def outputs(ended: subprocess.CompletedProcess) -> set[str]:
    """First outputs of all jobs of a dry run: which networks and figures they are of."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return set(re.findall(r"^ {4}output: ([^,\n]+)", ended.stdout, re.M))


def told_of_jobs(ended: subprocess.CompletedProcess) -> dict[str, list[str]]:
    """What a dry run tells of each job, by rule."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    jobs: dict[str, list[str]] = {}
    for rule, told in re.findall(r"^(?:local)?rule (\S+):\n((?: {4}.+\n)+)", ended.stdout, re.M):
        jobs.setdefault(rule, []).append(told)
    return jobs


def resources(ended: subprocess.CompletedProcess, rule: str, job: str = ".+") -> dict[str, int]:
    """Threads and resources that are numbers, of the one job of a rule, or of a network."""
    of_rule = told_of_jobs(ended)[rule]
    (told,) = (told for told in of_rule if re.search(rf"wildcards: \w+={job}$", told, re.M))
    found = {name: int(number) for name, number in re.findall(r"(\w+)=(\d+)(?:,|$)", told, re.M)}
    threads = re.search(r"threads: (\d+)", told)
    return found | {"threads": int(threads[1]) if threads else 1}


def complaint(ended: subprocess.CompletedProcess) -> str:
    """Return the one line that a run ended with before any job."""
    told = ended.stderr.splitlines()
    told = [line for line in told if not line.startswith(("Using workflow", "Config file "))]
    assert ended.returncode != 0 and len(told) == 1, ended.stderr
    return told[0]


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# an edit\n")


def configured(folder: Path, settings: Mapping) -> list[str]:
    """Options for the tiny preset with other settings on top."""
    path = folder / "settings.yaml"
    path.write_text(yaml.safe_dump(dict(settings)))
    return ["--configfile", "tests/support/tiny.yaml", str(path)]


def with_imagenet(images: Path | None, **settings) -> dict:
    """Settings for training on ImageNet's folder; without one its networks are left out."""
    return {
        "datasets": {"imagenet": "imagenet"},
        "imagenet_path": str(images) if images else None,
        "training": {"imagenet/resnet*": {"augmentation": "resized_crop_flip", "batch_size": 8}},
        **settings,
    }

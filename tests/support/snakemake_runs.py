"""Real Snakemake runs in copies of this checkout, and what there is to change between them."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from support.checkout import ROOT, files

TINY = ["--configfile=tests/support/tiny.yaml"]
SOURCE = Path("src/layer_robustness")


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
) -> subprocess.CompletedProcess:
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        ["snakemake", *targets, *config, "--cores", "2", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=inherited | dict(environment or {}),
    )


def jobs(ended: subprocess.CompletedProcess) -> set[str]:
    """Names of the rules that ran, or would run."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    table = re.search(r"^job +count\n-.*\n((?:.+\n)+?)total", ended.stdout + ended.stderr, re.M)
    return {line.split()[0] for line in table[1].splitlines()} if table else set()


def planned(folder: Path, *arguments: str, **keywords) -> set[str]:
    """Names of the rules that would run."""
    return jobs(snakemake(folder, "-n", *arguments, **keywords))


def resources(ended: subprocess.CompletedProcess) -> dict[str, dict[str, str]]:
    """Resources by rule, of a dry run."""
    assert ended.returncode == 0, ended.stdout + ended.stderr
    jobs = re.findall(
        r"^(?:local)?rule (\S+):\n(?: {4}.+\n)* {4}resources: (.+)", ended.stdout, re.M
    )
    return {rule: dict(re.findall(r"(\w+)=([^,]*)", told)) for rule, told in jobs}


def edit(path: Path) -> None:
    path.write_text(path.read_text() + "\n# an edit\n")


def write_imagenet(folder: Path) -> None:
    """A folder in ImageNet's form: 3 classes of 6 training and 4 validation images."""
    chance = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 4)):
        for name in ("n01440764", "n01443537", "n01484850"):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = chance.integers(0, 256, (240 + number, 300, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / split / name / f"{number}.JPEG")

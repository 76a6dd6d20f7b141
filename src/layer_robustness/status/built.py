"""What Snakemake holds for built: its own summary, by step and job."""

import contextlib
import csv
import io
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snakemake.cli import parse_args, parse_config
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from layer_robustness.planning.presets import preset_file
from layer_robustness.runtime.errors import InputError

MEASURED = ("train", "probe", "joint", "distances", "attack")  # what takes long


@dataclass(frozen=True)
class Made:
    """What one job of a step makes: results of a network or sweep, a data set, a figure, ...

    `state` is `done`, `missing`, `out of date`, or `to follow` where only an input is made again.
    """

    step: str
    name: str
    state: str


def read_config(options: Sequence[str]) -> dict:
    """Put the config together as the Snakefile does, of options that Snakemake has accepted."""
    with contextlib.redirect_stderr(io.StringIO()):  # which profile it uses
        _, arguments = parse_args(list(options))
    given = {}
    for path in arguments.configfile or ():
        update_config(given, load_configfile(path))
    update_config(given, parse_config(arguments.config))
    preset = preset_file(given, Path("config/presets"))
    config = load_configfile("config/defaults.yaml")
    update_config(config, load_configfile(preset) if preset else {})
    update_config(config, given)
    return config


def summary(options: Sequence[str]) -> list[Made]:
    """Ask Snakemake what there is to be made. Nothing is locked or changed: a run may be going on.

    Raises
    ------
    InputError
        If Snakemake refuses the options, with its last line.
    """
    command = [sys.executable, "-m", "snakemake", "--summary", *options]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["snakemake failed"]
        raise InputError(said[-1].removeprefix("error: "))
    outputs = defaultdict(list)
    for row in csv.DictReader(ended.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        path, step = Path(row["output_file"]), row["rule"]
        # results/{preset}/{job}/...
        name = "/".join(path.parts[2:4]) if step in (*MEASURED, "network") else path.stem
        outputs[step, name].append(row)
    return [Made(step, name, state_of(rows)) for (step, name), rows in outputs.items()]


def state_of(outputs: Sequence[dict[str, str]]) -> str:
    """Put into a word what Snakemake says of a job's outputs."""
    if all(row["plan"] == "no update" for row in outputs):
        return "done"
    found = {row["status"] for row in outputs}
    if "missing" in found:
        return "missing"
    return "to follow" if found == {"ok"} else "out of date"

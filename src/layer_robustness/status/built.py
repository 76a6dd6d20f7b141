"""What Snakemake holds for built: its own summary, read by rule."""

import contextlib
import csv
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from snakemake.cli import parse_args, parse_config
from snakemake.common.configfile import load_configfile
from snakemake.utils import update_config

from layer_robustness.experiments.names import Experiment
from layer_robustness.runtime.errors import InputError

DEFAULTS = "config/config.yaml"


@dataclass(frozen=True)
class File:
    """An output, the rule that makes it, and what Snakemake says of it.

    status
        `missing`, `ok`, or what has changed since it was made.
    pending
        Whether it would be made again, for its own sake or for that of an input.
    """

    path: str
    rule: str
    status: str
    pending: bool

    @property
    def out_of_date(self) -> bool:
        """Whether it was made of something that has changed since."""
        return self.pending and self.status not in ("ok", "missing")

    def belongs_to(self, experiment: Experiment) -> bool:
        """Whether it lies in the experiment's folder."""
        return f"/{experiment}/" in self.path


def read_config(options: Sequence[str]) -> dict:
    """Put the config together as Snakemake does of options that it has accepted."""
    with contextlib.redirect_stderr(io.StringIO()):  # which profile it uses
        _, arguments = parse_args(list(options))
    config = {}
    for path in (DEFAULTS, *(arguments.configfile or ())):
        update_config(config, load_configfile(path))
    update_config(config, parse_config(arguments.config))
    return config


def summary(options: Sequence[str]) -> list[File]:
    """Ask Snakemake which outputs there are to be, and which of them are up to date.

    It may be at work in the same folder: nothing is locked, and nothing is changed.

    Parameters
    ----------
    options
        Those of the run that is asked about: config files, targets, a profile.

    Raises
    ------
    InputError
        If Snakemake refuses, with its last line.
    """
    command = [sys.executable, "-m", "snakemake", "--nolock", "--summary", *options]
    ended = subprocess.run(command, capture_output=True, text=True)
    if ended.returncode:
        said = ended.stderr.strip().splitlines() or ["snakemake failed"]
        raise InputError(said[-1].removeprefix("error: "))
    rows = csv.DictReader(ended.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    return [
        File(
            row["output_file"],
            row["rule"],
            row["status"],
            pending=row["plan"] == "update pending",
        )
        for row in rows
    ]

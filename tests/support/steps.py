"""The steps of one small experiment, run in this process, and ways to damage what they wrote."""

import importlib
import shutil
import sys
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime import errors
from layer_robustness.runtime.errors import exit_with_one_line

NETWORK = "mnist/fcn3x256"  # of Figure 1


def ended(command: str, *arguments: object) -> str:
    """Run a command: the one line that it ended with, or nothing where it succeeded."""
    module = importlib.import_module(f"layer_robustness.commands.{command}")
    with patch.object(sys, "argv", [command, *map(str, arguments)]):
        return line_of(module.main)


def line_of(main: Callable[..., object], *arguments: object) -> str:
    """Return what `ended` does; what would have been a traceback fails the test."""
    with patch.object(errors, "leaving_at_once", nullcontext):  # this process is not the command's
        try:
            exit_with_one_line(partial(main, *arguments))
        except SystemExit as left:
            assert str(left.code).startswith("error: "), left.code
            assert "\n" not in left.code
            return left.code
    return ""


@dataclass(frozen=True)
class Steps:
    """From real digits to Figure 1, each step as its rule runs it; all of them return `ended`."""

    folder: Path
    recipe: Recipe
    seeds: int = 1

    @property
    def data(self) -> Path:
        """The prepared digits."""
        return self.folder / "data/digits5k.safetensors"

    @property
    def results(self) -> Path:
        """The folder of the network's results."""
        return self.folder / "results" / NETWORK

    @property
    def manifest(self) -> Path:
        """What says how it was trained."""
        return self.results / "checkpoints.json"

    def prepare(self) -> str:
        return ended("data", "digits5k", self.data)

    def train(self) -> str:
        recipe = as_flags(self.recipe).split()
        where = ("--data", self.data, "--manifest", self.manifest, "--device", "cpu")
        return ended("train", NETWORK, *where, "--seeds", self.seeds, "--draws", 2, *recipe)

    def probe(self, output: str = "probe.csv", *arguments: object) -> str:
        where = ("--data", self.data, "--device", "cpu", "--memory", 1)
        return self.measured("probe", output, *where, *arguments)

    def joint(self) -> str:
        return self.probe("joint.csv", "--groups", "every_second")

    def distances(self) -> str:
        return self.measured("distances", "distances.csv")

    def measured(self, command: str, output: str, *arguments: object) -> str:
        return ended(command, self.manifest, "--output", self.results / output, *arguments)

    def figure(self) -> str:
        results = [self.results / file for file in ("probe.csv", "distances.csv")]
        made = ("--results", *results, "--manifests", self.manifest, "--preset", "made up")
        output = self.folder / "figures/figure1.pdf"
        return ended("figure", "figure1", *made, "--output", output)

    def all(self) -> None:
        """Run them from the first to the last."""
        steps = (self.prepare, self.train, self.probe, self.joint, self.distances, self.figure)
        assert not any(step() for step in steps)

    def weights(self) -> dict[str, bytes]:
        """The published checkpoints."""
        return contents(self.results / "checkpoints")


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder, hidden ones too."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def half_written(folder: Path) -> list[Path]:
    """Files that a failing write has left."""
    return list(folder.rglob("*.tmp"))


DAMAGES = ("truncated", "one line short", "flipped", "emptied", "missing", "text", "directory")


def harm(path: Path, damage: str | bytes) -> None:
    """Damage a file or put other bytes in its place, and not the file that it is a link of."""
    content = path.read_bytes()
    path.unlink()
    if damage == "missing":
        return
    if damage == "directory":
        path.mkdir()
        return
    middle = len(content) // 2
    path.write_bytes(
        damage
        if isinstance(damage, bytes)
        else {
            "truncated": content[:-100] if len(content) > 100 else content[:middle],
            "one line short": content[: content.rstrip(b"\n").rfind(b"\n") + 1],
            "flipped": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
            "emptied": b"",
            "text": b"unit,source,draw,error\nlayer1,0,0,0.5\n",
        }[damage]
    )


def remove(path: Path) -> None:
    """Do what an error says: delete it."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)

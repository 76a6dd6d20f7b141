"""The steps of one small experiment, run in this process, and ways to damage what they wrote."""

import importlib
import shutil
import sys
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime import errors
from layer_robustness.runtime.errors import exit_with_one_line

NETWORK = "mnist/fcn3x256"  # of Figure 1


def ended(command: str, *arguments: object) -> str:
    """Run a command: the one line that it ended with, or nothing where it succeeded.

    What would have been a traceback fails the test.
    """
    module = importlib.import_module(f"layer_robustness.commands.{command}")
    with (
        patch.object(sys, "argv", [command, *map(str, arguments)]),
        patch.object(errors, "leaving_at_once", nullcontext),  # this process is not the command's
    ):
        try:
            exit_with_one_line(module.main)
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

    def probe(self) -> str:
        return self.tested("probe")

    def joint(self) -> str:
        return self.tested("joint", "--groups", "every_second")

    def tested(self, command: str, *arguments: object) -> str:
        where = ("--data", self.data, "--device", "cpu", "--memory", 1)
        return self.measured(command, *where, *arguments)

    def distances(self) -> str:
        return self.measured("distances")

    def measured(self, command: str, *arguments: object) -> str:
        output = self.results / f"{command}.csv"
        return ended(command, self.manifest, "--output", output, *arguments)

    def figure(self) -> str:
        return self.drawn("figure", "figure1", "probe.csv", "distances.csv")

    def drawn(self, command: str, target: str, *files: str) -> str:
        """Draw a figure or table of these result files."""
        results = [self.results / file for file in files]
        output = self.folder / "figures" / f"{target}.pdf"
        made = ("--results", *results, "--manifests", self.manifest, "--preset", "made up")
        return ended(command, target, *made, "--output", output)

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


def harm(path: Path, damage: str) -> None:
    """Damage a file, and not the file that it is a link of."""
    content = path.read_bytes()
    path.unlink()
    if damage == "missing":
        return
    if damage == "directory":
        path.mkdir()
        return
    middle = len(content) // 2
    path.write_bytes(
        {
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

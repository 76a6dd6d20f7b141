"""The steps of one small experiment, run in this process, and ways to damage what they wrote."""

import importlib
import json
import shutil
import sys
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from unittest.mock import patch

from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime import errors
from layer_robustness.runtime.errors import exit_with_one_line

NETWORK = "mnist/fcn3x256"  # of Figure 1
LIMITS = ("--draws", 2, "--micro-batch", 250, "--memory", 1)


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
    seed: int = 0

    @property
    def data(self) -> Path:
        """The prepared digits."""
        return self.folder / "data/digits5k.safetensors"

    @property
    def experiment(self) -> Path:
        """The folder of its results."""
        return self.folder / "results" / NETWORK / f"seed{self.seed}"

    def prepare(self) -> str:
        return ended("data", "digits5k", self.data)

    def train(self) -> str:
        recipes = {NETWORK: {"seeds": [self.seed], **asdict(self.recipe)}}
        return self.of_data("train", "--recipes", json.dumps(recipes))

    def probe(self) -> str:
        return self.of_data("probe", f"{NETWORK}/seed{self.seed}", *LIMITS)

    def joint(self) -> str:
        groups = ("--groups", "every_second")
        return self.of_data("joint", f"{NETWORK}/seed{self.seed}", *LIMITS, *groups)

    def distances(self) -> str:
        where = ("--summary", self.data.with_suffix(".json"), "--results", self.folder / "results")
        return ended("distances", f"{NETWORK}/seed{self.seed}", *LIMITS[:2], *where)

    def of_data(self, command: str, *arguments: object) -> str:
        where = ("--data", self.data, "--results", self.folder / "results", "--device", "cpu")
        return ended(command, *arguments, *where)

    def figure(self) -> str:
        return self.drawn("figure", "figure1", NETWORK)

    def drawn(self, command: str, target: str, network: str, *arguments: object) -> str:
        """Draw a figure or table of one network."""
        where = ("--results", self.folder / "results", "--output", self.folder / "figures")
        seeds = ("--seeds", json.dumps({network: 1}), "--small-print", "made up")
        return ended(command, target, *where, *seeds, *arguments)

    def all(self) -> None:
        """Run them from the first to the last."""
        steps = (self.prepare, self.train, self.probe, self.joint, self.distances, self.figure)
        assert not any(step() for step in steps)

    def weights(self) -> dict[str, bytes]:
        """The published checkpoints."""
        return contents(self.experiment / "checkpoints")


def contents(folder: Path) -> dict[str, bytes]:
    """All files in a folder, hidden ones too."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


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

"""Measurements that take long save their numbers as they run, and continue where they stopped."""

import math
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from layer_robustness.experiments import paths
from layer_robustness.runtime.code import code_digest
from layer_robustness.storage import tensorfile
from layer_robustness.training.trained import TrainedNetwork

EVERY = 10  # seconds between two writes: a kill loses no more than that


@dataclass
class Measurement:
    """The numbers so far of one measurement of a trained network, in a file of its own.

    It is kept after the end: if another measurement of the job is stopped, Snakemake deletes the
    results of all of them.
    """

    path: Path
    fingerprint: str
    total: int
    not_before: float = -math.inf  # when to write next, by the monotonic clock

    @classmethod
    def of(
        cls,
        trained: TrainedNetwork,
        step: str,
        device: torch.device,
        total: int,
        name: str,
        *parameters: object,
    ) -> "Measurement":
        """Return the measurement which ends as `name`.csv.

        Parameters
        ----------
        step
            The step whose code computes it, a key of `runtime.code.STEPS`.
        total
            Steps it takes.
        parameters
            What else its numbers depend on, besides network, data and code; builtin types.
        """
        manifest = trained.manifest
        depends = [str(trained.experiment), asdict(manifest.recipe), trained.entry.checkpoints]
        depends += [manifest.data.sha256, device.type, torch.__version__, code_digest(step)]
        fingerprint = tensorfile.fingerprint(*depends, *parameters)
        return cls(paths.resume(trained.path, trained.experiment, name), fingerprint, total)

    def load(self) -> tuple[int, dict[str, Tensor]]:
        """Return the number of steps done and the saved tensors; log why if there are none."""
        found = tensorfile.kept(self.path, self.fingerprint, "another measurement")
        if found is None:
            return 0, {}
        tensors, metadata = found
        self.tell(f"goes on after {metadata['done']}/{self.total}")
        return int(metadata["done"]), tensors

    def keep(self, done: int, tensors: dict[str, Tensor]) -> None:
        """Write the tensors after so many steps, if it is the last or some seconds have passed."""
        if done < self.total and time.monotonic() < self.not_before:
            return
        tensorfile.save(self.path, tensors, {"fingerprint": self.fingerprint, "done": str(done)})
        self.tell(f"{done}/{self.total}")
        self.not_before = time.monotonic() + EVERY

    def tell(self, what: str) -> None:
        """Say in the log how far it is."""
        print(f"{self.path.parent} {self.path.stem} {what}", file=sys.stderr, flush=True)

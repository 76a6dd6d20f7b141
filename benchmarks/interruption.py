"""Seconds from SIGTERM to the end of a training that saves its state first, full-size networks.

What has to be waited for is the batch that is being trained on; then the state is written. Each
round asks at another moment.
"""

import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from machine import describe

from layer_robustness.data import dataset as data
from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments import paths
from layer_robustness.experiments.flags import as_flags
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime.interruption import EXIT_STATUS

ROUNDS = 5
NETWORKS = ("cifar10/vgg16", "cifar10/resnet18", "cifar10/resnet50+bn")
LAW = "lecun_normal"
RECIPE = Recipe(999, 128, 0.001, (), 0.2, 0.9, 0.0, (0, 999), LAW, 1, "pad_crop_flip", "float32")


def main() -> None:
    print(f"\nBatches of {RECIPE.batch_size}, {describe()}, {ROUNDS} rounds\n")
    print("| network | state, MB | seconds, median | longest |\n|---|---:|---:|---:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.save(SOURCES["digits5k_as_cifar10"](), folder / "digits.safetensors")
        for network in NETWORKS:
            seconds = [seconds_to_leave(folder, network, 1 + index) for index in range(ROUNDS)]
            size = state(folder, network).stat().st_size / 1e6
            middle, longest = statistics.median(seconds), max(seconds)
            print(f"| {network} | {size:.0f} | {middle:.1f} | {longest:.1f} |", flush=True)


def state(folder: Path, network: str) -> Path:
    """Where a training is kept."""
    manifest = folder / network / paths.MANIFEST
    return paths.resume(manifest, parse_network(network).seed(0), "state")


def seconds_to_leave(folder: Path, network: str, wait: float) -> float:
    """Let a training go on, ask it to leave after some seconds, and say how long that takes."""
    command = [sys.executable, "-m", "layer_robustness.commands.train", network]
    command += ["--data", str(folder / "digits.safetensors"), *as_flags(RECIPE).split()]
    command += ["--manifest", str(folder / network / paths.MANIFEST)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        if wait > 1:
            process.stderr.readline()  # "goes on after ..."
        else:
            while not state(folder, network).exists():
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.1)
        time.sleep(wait)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        status = process.wait()
        took = time.monotonic() - asked
    assert status == EXIT_STATUS, status
    return took


if __name__ == "__main__":
    main()

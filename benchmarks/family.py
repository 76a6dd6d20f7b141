"""Ten small networks of Figure 2 in one job, against a job for each.

Both use all cores. On a GPU the one job stacks the seeds of each network.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from machine import describe

from layer_robustness.data import dataset as data
from layer_robustness.data.sources import digits5k
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.runtime import machine

ROUNDS = 3
SEEDS = 5
NETWORKS = ("mnist/fcn3x16", "mnist/fcn3x32")
LAW = "uniform_fan_in"
RECIPE = Recipe(30, 128, 0.01, (9, 18, 27), 0.2, 0.9, 0.0, (0, 30), LAW, 1, "none", "float32")


def train(folder: Path, results: str, recipes: dict, workers: int) -> None:
    command = [
        *(sys.executable, "-m", "layer_robustness.commands.train"),
        *("--data", str(folder / "digits.safetensors"), "--results", str(folder / results)),
        *("--recipes", json.dumps(recipes), "--workers", str(workers)),
    ]
    subprocess.run(command, check=True, capture_output=True)


def one_job(folder: Path, results: str) -> None:
    recipes = {network: {"seeds": [*range(SEEDS)], **asdict(RECIPE)} for network in NETWORKS}
    train(folder, results, recipes, machine.cpus())


def a_job_each(folder: Path, results: str) -> None:
    """One seed each: the same amount of training."""
    jobs = [(network, seed) for network in NETWORKS for seed in range(SEEDS)]
    with ThreadPoolExecutor(machine.cpus()) as pool:
        for network, seed in jobs:
            recipes = {network: {"seeds": [seed], **asdict(RECIPE)}}
            pool.submit(train, folder, results, recipes, 1)


def main() -> None:
    seconds = {one_job: [], a_job_each: []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data.save(digits5k(), folder / "digits.safetensors")
        for index in range(ROUNDS):
            for way, values in seconds.items():
                started = time.perf_counter()
                way(folder, f"{way.__name__}{index}")
                values.append(time.perf_counter() - started)
    count = len(NETWORKS) * SEEDS
    print(f"\n{count} networks, {describe()}, median of {ROUNDS} rounds in turns\n")
    print("| trained in | seconds |\n|---|---:|")
    for way, values in seconds.items():
        print(f"| {way.__name__.replace('_', ' ')} | {statistics.median(values):.1f} |")


if __name__ == "__main__":
    main()

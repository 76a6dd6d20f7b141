"""Wall time and memory of the quick preset, in a fresh copy of this checkout.

All figures from nothing, again with nothing to do, and one figure after an edit to its drawing
code. Memory is the largest sum of the proportional set sizes of all processes, sampled.
"""

import shutil
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import psutil
from machine import describe

from layer_robustness.runtime import machine

ROOT = Path(__file__).parents[1]


def copy_checkout(folder: Path) -> None:
    command = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in names.split():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)


def measure(folder: Path, *targets: str) -> tuple[float, float]:
    """Run Snakemake; return seconds and the peak of memory in GB."""
    peak = 0
    started = time.perf_counter()
    command = ["snakemake", "--cores", str(machine.cpus()), *targets]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as process:

        def watch() -> None:
            nonlocal peak
            while process.poll() is None:
                peak = max(peak, memory(psutil.Process(process.pid)))
                time.sleep(0.2)

        watcher = threading.Thread(target=watch)
        watcher.start()
        process.wait()
        seconds = time.perf_counter() - started
        watcher.join()
    assert process.returncode == 0
    return seconds, peak / 1e9


def memory(root: psutil.Process) -> int:
    total = 0
    try:
        for process in [root, *root.children(recursive=True)]:
            total += process.memory_full_info().pss
    except psutil.NoSuchProcess:
        pass
    return total


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        copy_checkout(folder)
        rows = {"all figures, from nothing": measure(folder)}
        rows["again, nothing to do"] = measure(folder)
        heatmap = folder / "src/layer_robustness/figures/heatmap.py"
        heatmap.write_text(heatmap.read_text() + "# edited\n")
        rows["figure 1 after an edit to its drawing code"] = measure(
            folder, "paper_figures/quick/figure1.pdf"
        )
    print(f"\nQuick preset, snakemake --cores {machine.cpus()}, {describe()}\n")
    print("| run | seconds | peak memory, GB |\n|---|---:|---:|")
    for run, (seconds, peak) in rows.items():
        print(f"| {run} | {seconds:.1f} | {peak:.1f} |")


if __name__ == "__main__":
    main()

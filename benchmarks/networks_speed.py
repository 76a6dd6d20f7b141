"""The probe of any network against the plain loop: full passes, each with other weights in a unit.

Four networks with random weights at 128x128, cut into blocks; each block is reset to a fresh draw.
The plain loop loads the weights of a unit, runs the network over all images and loads the trained
ones again. Both see the same images, in turns, and have to find the same errors. The probe's time
has everything in it: the clean pass, and the check of each reset against a full pass of a copy.
Time is that of the processor, on one thread, as the machine may be shared. Memory is what each
took at most beside the rest of the process.
"""

import statistics
import threading
import time
from collections.abc import Callable
from copy import deepcopy

import psutil
import timm
import torch
from machine import describe
from torch import Tensor, nn

from layer_robustness.networks.pace import LAYOUTS
from layer_robustness.networks.probe import probe_network
from layer_robustness.probing.cut import cut
from layer_robustness.probing.replay import logits_of
from layer_robustness.probing.sources import States
from layer_robustness.probing.tensors import State

NETWORKS = ("vit_tiny_patch16_224", "resnet50", "convnext_atto", "tf_efficientnet_lite0")
IMAGES, PIXELS = 128, 128
ROUNDS = 3
BATCH = 32  # images of the plain loop at once


def plain_loop(
    network: nn.Module, fresh: State, images: Tensor, labels: Tensor, layout: str
) -> list[float]:
    """Run a full pass for each unit, and return the test error of each."""
    network = deepcopy(network).to(memory_format=LAYOUTS[layout])
    trained = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    errors = []
    for names in cut(network, "block").units.values():
        reset = {name: fresh[name] for name in names if name in trained}
        network.load_state_dict(trained | reset)
        logits = torch.cat([logits_of(network, part.clone()) for part in images.split(BATCH)])
        errors.append((logits.argmax(1) != labels).double().mean().item())
    network.load_state_dict(trained)
    return errors


def watched(work: Callable) -> tuple[float, float, object]:
    """Return seconds, the most memory that was taken in between in GB, and the result."""
    process, done = psutil.Process(), threading.Event()
    before = peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    started = time.process_time()
    result = work()
    seconds = time.process_time() - started
    done.set()
    watcher.join()
    return seconds, (peak - before) / 1e9, result


def compare(name: str) -> None:
    """Time both in turns, and print a row of the table."""

    def build() -> nn.Module:
        sized = {"img_size": PIXELS} if name.startswith("vit") else {}
        return timm.create_model(name, num_classes=10, **sized)

    torch.manual_seed(0)
    network = build().eval()
    images, labels = torch.randn(IMAGES, 3, PIXELS, PIXELS), torch.randint(10, (IMAGES,))
    fresh = States(network, fresh=build).draw(0)
    ways = {
        "plain": lambda: plain_loop(network, fresh, images, labels),
        "probe": lambda: probe_network(network, (images, labels), fresh=build, sources=["rerand"]),
    }
    runs = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, work in ways.items():
            runs[way].append(watched(work))
    frame = runs["probe"][-1][2].resets.set_index("unit")
    expected = dict(zip(cut(network, "block").units, runs["plain"][-1][2], strict=True))
    different = sum(abs(frame["error"][unit] - error) > 1e-9 for unit, error in expected.items())
    seconds = {way: statistics.median(run[0] for run in done) for way, done in runs.items()}
    memory = {way: max(run[1] for run in done) for way, done in runs.items()}
    print(
        f"| {name} | {len(frame)} | {(frame['engine'] == 'replay').sum()} "
        f"| {seconds['plain']:.1f} | {seconds['probe']:.1f} "
        f"| {seconds['plain'] / seconds['probe']:.1f}x "
        f"| {memory['plain']:.2f} | {memory['probe']:.2f} | {different} |",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"\nProbe of any network, {IMAGES} images of {PIXELS} pixels, {describe()}, median of "
        f"{ROUNDS} interleaved rounds\n"
    )
    print(
        "| network | units | by replay | plain loop, CPU s | probe, CPU s | faster "
        "| plain loop, GB | probe, GB | other errors |"
    )
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in NETWORKS:
        compare(name)


if __name__ == "__main__":
    main()

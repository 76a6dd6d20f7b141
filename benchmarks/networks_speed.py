"""The probe of any network against the plain loop: full passes, each with other weights in a unit.

Four networks with random weights, cut into blocks; each block is reset to a fresh draw. All weights
were changed a little, as training does, so that no reset is for nothing. The plain loop loads the
weights of a unit, runs the network over all images and loads the trained ones again. Both see the
same images in the memory layout that the probe chose, and have to find the same errors. The probe's
time has everything in it: the clean pass, its choice of layout and micro-batch, and the check of
each reset against a full pass of a copy. Time is that of the processor, on one thread, as the
machine may be shared. Memory is what each took at most beside the rest of the process.
"""

import threading
import time
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import psutil
import timm
import torch
from machine import describe
from torch import Tensor, nn

from layer_robustness.networks.layout import LAYOUTS
from layer_robustness.networks.probe import probe_network
from layer_robustness.probing.cut import cut
from layer_robustness.probing.replay import logits_of
from layer_robustness.probing.sources import States
from layer_robustness.probing.tensors import State

NETWORKS = ("vit_tiny_patch16_224", "convnext_atto", "tf_efficientnet_lite0", "resnet50")
IMAGES, PIXELS = 192, 128
ROUNDS = 3
BATCH = 32  # images of the plain loop at once


def as_if_trained(build: Callable[[], nn.Module]) -> nn.Module:
    """Build a network, always with the same weights, and change all of them a little."""
    torch.manual_seed(0)
    network = build().eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


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


def watched(work: Callable) -> tuple[float, float, Any]:
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
    """Time both, and print a row of the table."""

    def build() -> nn.Module:
        sized = {"img_size": PIXELS} if name.startswith("vit") else {}
        return timm.create_model(name, num_classes=10, **sized)

    network = as_if_trained(build)
    images, labels = torch.randn(IMAGES, 3, PIXELS, PIXELS), torch.randint(10, (IMAGES,))
    fresh = States(network, fresh=build).draw(0)
    rounds = []
    for _ in range(ROUNDS):
        fast, held, result = watched(
            lambda: probe_network(network, (images, labels), fresh=build, sources=["rerand"])
        )
        layout = result.layout
        slow, held_by_loop, errors = watched(
            lambda layout=layout: plain_loop(network, fresh, images, labels, layout)
        )
        rounds.append((slow / fast, slow, fast))
    _, slow, fast = sorted(rounds)[ROUNDS // 2]
    frame = result.resets.set_index("unit")
    expected = dict(zip(cut(network, "block").units, errors, strict=True))
    different = sum(abs(frame["error"][unit] - error) > 1e-9 for unit, error in expected.items())
    print(
        f"| {name} | {len(frame)} | {(frame['engine'] == 'replay').sum()} | {result.layout} "
        f"| {result.micro_batch} | {slow:.1f} | {fast:.1f} | {slow / fast:.1f}x "
        f"| {held_by_loop:.2f} | {held:.2f} | {different} |",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"\nProbe of any network, {IMAGES} images of {PIXELS} pixels, {describe()}, "
        f"round of the median ratio of {ROUNDS}\n"
    )
    print(
        "| network | units | by replay | layout | micro-batch | plain loop, CPU s | probe, CPU s "
        "| faster | plain loop, GB | probe, GB | other errors |"
    )
    print("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    for name in NETWORKS:
        compare(name)


if __name__ == "__main__":
    main()

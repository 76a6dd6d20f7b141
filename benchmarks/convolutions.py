"""A training step of the quick preset's networks: memory layouts, and torch.compile.

One thread, batch 64, 14x14 images; the ways take turns, and medians are compared.
"""

import statistics
import time

import torch
from machine import describe

from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw

ROUNDS = 15
WIDTH = 0.125
NETWORKS = ("vgg16", "vgg16+bn", "resnet50", "resnet50+bn", "resnet152")
COMPILED = ("vgg16", "resnet50")  # compiling takes long
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def step(network, optimizer, images, labels) -> None:
    loss = torch.nn.functional.cross_entropy(network(images), labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def compare(name: str) -> None:
    images = torch.randn(64, 3, 14, 14)
    labels = torch.randint(10, (64,))
    ways, compiling = {}, ""
    for way, layout in LAYOUTS.items():
        network = draw(
            parse_experiment(f"cifar10/{name}/seed0"), "he_normal", (3, 14, 14), 10, WIDTH
        )
        ways[way] = network.to(memory_format=layout)
    if name in COMPILED:
        ways["channels_last, compiled"] = torch.compile(ways["channels_last"])
    seconds = {way: [] for way in ways}
    optimizers = {
        way: torch.optim.SGD(network.parameters(), lr=1e-6, momentum=0.9, fused=True)
        for way, network in ways.items()
    }
    for round_ in range(ROUNDS + 1):
        for way, network in ways.items():
            started = time.perf_counter()
            step(network, optimizers[way], images, labels)
            took = time.perf_counter() - started
            if round_:
                seconds[way].append(took)
            elif "compiled" in way:
                compiling = f"{took:.0f} s to compile"
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    for way, median in medians.items():
        note = compiling if "compiled" in way else ""
        print(
            f"| {name} | {way} | {1000 * median:.1f} | {medians['contiguous'] / median:.2f}x "
            f"| {note} |"
        )


def main() -> None:
    torch.set_num_threads(1)
    print(f"\nA training step, {describe()}, median of {ROUNDS} interleaved rounds\n")
    print("| network | layout | ms | faster than contiguous | |\n|---|---|---:|---:|---|")
    for name in NETWORKS:
        compare(name)


if __name__ == "__main__":
    main()

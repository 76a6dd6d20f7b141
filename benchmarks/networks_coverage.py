"""Which networks the replay fits: the smallest of each family of timm's, and some of torchvision.

Each has random weights, and images of the smallest size that it takes. Up to eight of its units,
spread over the depth, are reset to fresh draws. Their logits have to be those of the plain loop,
full passes of changed copies, bit for bit. The table says how many calls the tape holds, for how
many resets the replay was used (the others took the full pass, so that they are right too), and how
much faster all resets were than full passes of the network with weights exchanged, both timed once.
"""

import argparse
import statistics
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import timm
import torch
from machine import describe
from torch import nn
from torchvision import models

from layer_robustness.networks.cut import cut
from layer_robustness.networks.measures import same
from layer_robustness.networks.probe import Probe
from layer_robustness.networks.replay import logits_of
from layer_robustness.networks.sources import States, make_sources
from layer_robustness.networks.tensors import copy_with, replaced

UNITS = 8
IMAGES = 4
SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 384, 448)
TORCHVISION = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5"),
    *("squeezenet1_0", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16"),
)
Builder = Callable[[], nn.Module]


def smallest_of_families() -> Iterator[tuple[str, str]]:
    """Yield each module of timm's with the name of its network that has the fewest parameters."""
    for family in timm.list_modules():
        counts = {}
        for name in timm.list_models(module=family):
            try:
                with torch.device("meta"):
                    network = timm.create_model(name, num_classes=10)
            except Exception:
                continue  # wants another library, or buffers that are computed
            counts[sum(p.numel() for p in network.parameters())] = name
        if counts:
            yield family, counts[min(counts)]


def sized_builders(name: str) -> Iterator[tuple[int, Builder]]:
    """Yield sizes of images, from the smallest, and what builds a timm network for them."""
    for size in SIZES:
        for options in ({"img_size": size}, {}):
            yield size, lambda options=options: timm.create_model(name, num_classes=10, **options)


def torchvision_builders(name: str) -> Iterator[tuple[int, Builder]]:
    for size in SIZES:
        yield size, lambda: getattr(models, name)(num_classes=10)


def first_that_fits(builders: Iterator[tuple[int, Builder]]) -> tuple[nn.Module, Builder, int]:
    """Return a network, what builds it, and the smallest size of images for which it runs."""
    reason = None
    for size, build in builders:
        try:
            torch.manual_seed(0)
            network = build().eval()
            logits_of(network, torch.zeros(1, 3, size, size))
        except Exception as error:
            reason = reason or error
        else:
            return network, build, size
    raise RuntimeError(f"takes none of the sizes: {reason}")


def measure(name: str, builders: Iterator[tuple[int, Builder]]) -> dict:
    """Probe a network and loop over copies of it, and return the row of the table."""
    network, build, size = first_that_fits(builders)
    images = torch.randn(IMAGES, 3, size, size)
    taken = cut(network, "block")
    every = -(-len(taken.units) // UNITS)
    units = len(taken.units)
    taken.units = dict(list(taken.units.items())[::every])
    states = States(network, fresh=build)
    probe = Probe(network, taken, make_sources(["rerand"], 1, states), 10**9)
    probe.run([(images, torch.zeros(IMAGES))], torch.device("cpu"))  # with the check of itself
    changed = {r.unit: {key: states.draw(0)[key] for key in r.names} for r in probe.resets}
    started = time.perf_counter()
    for state in changed.values():
        with replaced(network, state):
            logits_of(network, images)
    plain = time.perf_counter() - started
    started = time.perf_counter()
    clean = probe.replay.record(images)
    found = {reset.unit: probe.logits(reset, images, clean, False) for reset in probe.resets}
    probed = time.perf_counter() - started
    equal = sum(
        same(found[unit], logits_of(copy_with(network, state), images))
        for unit, state in changed.items()
    )
    replayed = sum(reset.engine == "replay" for reset in probe.resets)
    return {
        "network": name,
        "pixels": size,
        "units": units,
        "calls": len(probe.replay.calls),
        "resets": len(changed),
        "equal": equal,
        "by replay": replayed,
        "faster": plain / probed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=Path("networks_coverage.csv"))
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    cases = [(name, sized_builders(name)) for _, name in smallest_of_families()]
    cases += [(f"torchvision {name}", torchvision_builders(name)) for name in TORCHVISION]
    rows = []
    for name, builders in cases:
        try:
            rows.append(measure(name, builders))
        except Exception as error:
            rows.append({"network": name, "exception": str(error).partition("\n")[0][:120]})
        print(rows[-1], flush=True)
        pd.DataFrame(rows).to_csv(arguments.output, index=False)
    frame = pd.DataFrame(rows)
    resets = frame["resets"].sum()
    print(f"\nCoverage of replay, {describe()}\n")
    print(frame.round({"faster": 1}).to_markdown(index=False))
    print(
        f"\n{frame['resets'].count()} networks ran, {resets:.0f} resets: "
        f"{frame['equal'].sum() / resets:.1%} equal to the plain loop, "
        f"{frame['by replay'].sum() / resets:.1%} by replay, "
        f"{statistics.median(frame['faster'].dropna()):.1f}x faster (median)."
    )


if __name__ == "__main__":
    main()

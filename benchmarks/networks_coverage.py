"""Which networks the replay fits: the smallest of each family of timm's, and some of torchvision.

Each has random weights, and images of the smallest size that it takes. Up to eight of its units,
spread over the depth, are reset to other random weights. Their logits have to be those of the plain
loop, full passes of changed copies, bit for bit. The table says how many calls the tape holds, for
how many resets the replay was used (the others took the full pass, so that they are right too), and
how much faster all resets were than full passes of the network with weights exchanged; both are
timed once, on two small images, so that what a reset costs besides computing weighs much.
"""

import argparse
import itertools
import re
import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path

import pandas as pd
import timm
import torch
from machine import describe
from torch import Tensor, nn
from torchvision import models

from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import Engine, Reset
from layer_robustness.probing.measures import same
from layer_robustness.probing.replay import logits_of
from layer_robustness.probing.sources import States, make_sources
from layer_robustness.probing.tensors import named_tensors

UNITS = 8
IMAGES = 2
MOST = 100 * 10**6  # parameters
# Names of networks that are hardly a family's smallest: to build them all takes long.
LARGE = re.compile(r"huge|giant|large|gigantic|enormous|so\d+m|base|101|152|200|_b[3-9]")
SIZES = (32, 64, 96, 128, 160, 192, 224, 240, 256, 288, 384, 448)
TORCHVISION = (
    *("alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s"),
    *("googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small"),
    *("regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5"),
    *("squeezenet1_0", "swin_t", "swin_v2_t", "vgg11_bn", "vit_b_16"),
)


def smallest_of_families() -> Iterator[str]:
    """Yield of each module of timm's the network with the fewest parameters, if not too many."""
    for family in timm.list_modules():
        counts, names = {}, timm.list_models(module=family)
        for name in [name for name in names if not LARGE.search(name)] or names:
            try:
                with torch.device("meta"):
                    network = timm.create_model(name, num_classes=10)
            except Exception:
                continue  # wants another library, or buffers that are computed
            counts[sum(p.numel() for p in network.parameters())] = name
        if counts and min(counts) <= MOST:
            yield counts[min(counts)]


def of_timm(name: str) -> tuple[nn.Module, int]:
    """Return a network, and the smallest size of images for which it can be built and runs."""
    try:
        return smallest_size(lambda size: timm.create_model(name, num_classes=10, img_size=size))
    except TypeError:  # it is built for every size
        network = timm.create_model(name, num_classes=10)
        return smallest_size(lambda _: network)


def of_torchvision(name: str) -> tuple[nn.Module, int]:
    """Return a network, and the smallest size of images for which it runs."""
    network = getattr(models, name)(num_classes=10)
    return smallest_size(lambda _: network)


def smallest_size(build: Callable[[int], nn.Module]) -> tuple[nn.Module, int]:
    """Return a network, and the smallest size of images for which it runs."""
    reason = None
    for size in SIZES:
        try:
            network = build(size).eval()
            logits_of(network, torch.zeros(1, 3, size, size))
        except TypeError:
            raise
        except Exception as error:
            reason = reason or error
        else:
            return network, size
    raise RuntimeError(f"takes none of the sizes: {reason}")


@torch.no_grad()
def other_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return the network's state with all parameters moved."""
    state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for name, parameter in network.named_parameters(remove_duplicate=False):
        state[name] = parameter + 0.02 * torch.randn_like(parameter)
    return state


def changed_copy(network: nn.Module, values: Mapping[str, Tensor]) -> nn.Module:
    """Return a copy of the network in which some tensors have other values."""
    network.train().eval()  # nothing that is kept from the weights goes into the copy
    changed = deepcopy(network)
    tensors = named_tensors(changed)
    for name, value in values.items():
        tensors[name].data = value
    return changed


def measure(name: str, network: nn.Module, size: int) -> dict:
    """Probe a network and loop over copies of it, and return the row of the table."""
    images = torch.randn(IMAGES, 3, size, size)
    taken = cut(network, "block")
    every = -(-len(taken.units) // UNITS)
    units = len(taken.units)
    taken.units = dict(list(taken.units.items())[::every])
    other = other_weights(network)
    sources = make_sources(["other"], 1, States(network, named={"other": other}))
    resets = [Reset(unit, own, sources[0]) for unit, own in taken.units.items()]
    engine = Engine(network, taken.modules, resets)
    engine.begin(images, 10**9)  # with the check of itself
    started = time.perf_counter()
    for reset in resets:
        with engine.replay.weights.replaced(reset.values):
            logits_of(network, images.clone())
    plain = time.perf_counter() - started
    started = time.perf_counter()
    found = {row: logits for (row,), logits in engine.logits(images)}
    probed = time.perf_counter() - started
    equal = sum(
        same(found[row], logits_of(changed_copy(network, reset.values), images.clone()))
        for row, reset in enumerate(resets, 1)
    )
    replayed = sum(reset.engine == "replay" for reset in resets)
    return {
        "network": name,
        "pixels": size,
        "units": units,
        "calls": len(engine.replay.calls),
        "resets": len(resets),
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
    cases = itertools.chain(
        (("torchvision", name, of_torchvision) for name in TORCHVISION),
        (("timm", name, of_timm) for name in smallest_of_families()),
    )
    rows = []
    for library, short, build in cases:
        name = f"{library} {short}"
        torch.manual_seed(0)
        try:
            rows.append(measure(name, *build(short)))
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

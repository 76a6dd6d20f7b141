"""The probe of any network against the plain loop: full passes, each with other weights in a unit.

Four networks with random weights, cut into blocks; each block is reset to a fresh draw. All weights
were changed a little, as training does, so that no reset is for nothing. The plain loop loads the
weights of a unit, runs the network over all images and loads the trained ones again. Both see the
same images in the memory layout that the probe chose, and have to find the same errors. The probe's
time has everything in it: the clean pass, its choice of layout and micro-batch, and the check of
each reset against a full pass. The probe lets its process keep freed memory; how long
the plain loop takes where it does that too stands beside it.
"""

from collections.abc import Callable
from contextlib import nullcontext
from copy import deepcopy

import timm
import torch
from apart import apart
from machine import describe
from torch import Tensor, nn

from layer_robustness.networks.layout import LAYOUTS
from layer_robustness.networks.probe import probe_network
from layer_robustness.probing.cut import cut
from layer_robustness.probing.replay import logits_of
from layer_robustness.probing.sources import States
from layer_robustness.runtime.allocator import freed_memory_kept

NETWORKS = ("vit_tiny_patch16_224", "convnext_atto", "tf_efficientnet_lite0", "resnet50")
IMAGES, PIXELS, CLASSES = 192, 128, 10
ROUNDS = 3
BATCH = 32  # images of the plain loop at once


def build(name: str, classes: int) -> nn.Module:
    """Build a network for small images."""
    sized = {"img_size": PIXELS} if name.startswith("vit") else {}
    overlay = {"input_size": (3, PIXELS, PIXELS)}
    return timm.create_model(name, num_classes=classes, pretrained_cfg_overlay=overlay, **sized)


def as_if_trained(name: str, classes: int) -> nn.Module:
    """Build a network, always with the same weights, and change all of them a little."""
    torch.manual_seed(0)
    network = build(name, classes).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return network


def resident() -> tuple[Tensor, Tensor]:
    """Images and labels, always the same."""
    torch.manual_seed(1)
    return torch.randn(IMAGES, 3, PIXELS, PIXELS), torch.randint(CLASSES, (IMAGES,))


def probe(name: str) -> Callable[[], dict]:
    network, data = as_if_trained(name, CLASSES), resident()

    def work() -> dict:
        fresh = {"fresh": lambda: build(name, CLASSES), "sources": ["rerand"]}
        result = probe_network(network, data, **fresh)
        frame = result.resets.set_index("unit")
        by_replay = int((frame["engine"] == "replay").sum())
        how = {"layout": result.layout, "micro_batch": result.micro_batch, "by_replay": by_replay}
        return {"errors": frame["error"].to_dict(), **how}

    return work


def plain_loop(name: str, layout: str, keeps_memory: bool) -> Callable[[], dict[str, float]]:
    network, (images, labels) = as_if_trained(name, CLASSES), resident()
    fresh = States(network, fresh=lambda: build(name, CLASSES)).draw(0)
    network = deepcopy(network).to(memory_format=LAYOUTS[layout])

    def work() -> dict[str, float]:
        """A full pass for each unit gives its test error."""
        trained = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        errors = {}
        with freed_memory_kept() if keeps_memory else nullcontext():
            for unit, names in cut(network, "block").units.items():
                reset = {name: fresh[name] for name in names if name in trained}
                network.load_state_dict(trained | reset)
                logits = torch.cat([logits_of(network, part) for part in images.split(BATCH)])
                errors[unit] = (logits.argmax(1) != labels).double().mean().item()
        return errors

    return work


def compare(name: str) -> None:
    """Time both, and print a row of the table."""
    rounds = []
    for _ in range(ROUNDS):
        fast, held, found = apart(probe, name)
        slow, held_by_loop, errors = apart(plain_loop, name, found["layout"], False)
        kept, _, _ = apart(plain_loop, name, found["layout"], True)
        rounds.append((slow / fast, slow, kept, fast))
    ratio, slow, kept, fast = sorted(rounds)[ROUNDS // 2]
    different = sum(abs(found["errors"][unit] - error) > 1e-9 for unit, error in errors.items())
    print(
        f"| {name} | {len(errors)} | {found['by_replay']} | {found['layout']} "
        f"| {found['micro_batch']} | {slow:.1f} | {kept:.1f} | {fast:.1f} | {ratio:.1f}x "
        f"| {kept / fast:.1f}x | {held_by_loop:.2f} | {held:.2f} | {different} |",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"\nProbe of any network, {IMAGES} images of {PIXELS} pixels, {describe()}, CPU seconds of "
        f"the round of the median ratio of {ROUNDS}\n"
    )
    print(
        "| network | units | by replay | layout | micro-batch | plain loop | with memory kept "
        "| probe | faster | with memory kept | plain loop, GB | probe, GB | other errors |"
    )
    print("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for name in NETWORKS:
        compare(name)


if __name__ == "__main__":
    main()

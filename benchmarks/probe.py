"""The probe against the plain loop over (unit, source), each a full forward pass.

FCN 3x256 with the 9 sources of Figure 1, VGG16 and ResNet50 with the 5 sources of Figures 3 and 4,
as the quick preset trains them. The last source is the final network itself, which costs the probe
nothing and the plain loop as much as any other. Test images are resident for both, the micro-batch
is the same, the runs are interleaved, and the same images have to be wrong. The multiply-adds that
remain are counted by torch's FlopCounterMode.

At the end, what the budget for activations is worth: the memory that the probe of a full-width
ResNet152 takes beside its weights.
"""

import statistics
import threading
import time
from copy import deepcopy

import psutil
import torch
from machine import describe
from torch.utils.flop_counter import FlopCounterMode

from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.build import draw, memory_format
from layer_robustness.models.units import state_of, unit_modules
from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import CHECKED, Engine, Reset
from layer_robustness.probing.measures import Tally
from layer_robustness.probing.sources import Source, States, from_state
from layer_robustness.training.loop import Training
from layer_robustness.training.state import TrainState

BUDGET = 2 * 10**9
SGD = {"milestones": (), "factor": 0.2, "momentum": 0.9, "weight_decay": 0.0}
SGD |= {"augmentation": "none", "precision": "float32"}
# Network, recipe, epochs that are sources, micro-batch, rounds.
CASES = [
    (
        "mnist/fcn3x256",
        Recipe(8, 128, 0.01, checkpoints=(0, 8), initial_law="uniform_fan_in", width=1, **SGD),
        range(1, 9),
        1000,
        15,
    ),
    (
        "cifar10/vgg16",
        Recipe(3, 64, 0.01, checkpoints=(0, 3), initial_law="he_normal", width=0.125, **SGD),
        (0, 1, 2, 3),
        250,
        3,
    ),
    (
        "cifar10/resnet50",
        Recipe(3, 64, 0.03, checkpoints=(0, 3), initial_law="uniform_fan_in", width=0.125, **SGD),
        (0, 1, 2, 3),
        250,
        3,
    ),
]


def sources(experiment, recipe, epochs, data) -> tuple[torch.nn.Module, list[dict]]:
    """Train, and return the final network and its sources: a fresh draw and some epochs."""

    def fresh(purpose: str) -> torch.nn.Module:
        return draw(experiment, recipe.initial_law, data.image_shape, 10, recipe.width, purpose).to(
            memory_format=memory_format(experiment.network, data.image_shape, data.device)
        )

    network = fresh("initial")
    kept = {0: {name: tensor.clone() for name, tensor in network.state_dict().items()}}

    def keep(state):
        kept[state.epoch] = {name: t.detach().clone() for name, t in state.weights.items()}

    Training(experiment, TrainState(dict(network.state_dict())), recipe, data, keep).run()
    network.load_state_dict(kept[recipe.epochs])
    return network, [fresh("rerand0").state_dict(), *(kept[epoch] for epoch in epochs)]


@torch.inference_mode()
def plain_loop(network, units, states, images, labels, micro_batch):
    """Which images each reset gets wrong: bool [R, N]."""
    missed = []
    final = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    changed = deepcopy(network).eval()
    tensors = changed.state_dict()
    for modules in units.values():
        for state in states:
            for name, tensor in state_of(modules, state).items():
                tensors[name].copy_(tensor)
            predicted = [changed(batch).argmax(1) for batch in images.split(micro_batch)]
            missed.append(torch.cat(predicted) != labels)
            for name, tensor in state_of(modules, final).items():
                tensors[name].copy_(tensor)
    return torch.stack(missed)


def engine_of(network, all_units, units, states, joined=1) -> Engine:
    """Return the engine that resets some of a network's units to each state."""
    taken, known = cut(network, all_units), States(network)
    sources = [Source("", n, from_state(known.fitting("", s))) for n, s in enumerate(states)]
    resets = [Reset(unit, taken.units[unit], source) for unit in units for source in sources]
    return Engine(network, taken.modules, resets, joined)


def one_pass(network, units, states, images, labels, micro_batch, joined=1):
    """Which images each reset gets wrong, by the engine: bool [R, N]."""
    engine = engine_of(network, units, units, states, joined)
    engine.begin(images[:CHECKED], BUDGET, checked=False)
    tally = Tally(len(engine.resets), ("error", "loss", "agreement"))
    for part, expected in zip(images.split(micro_batch), labels.split(micro_batch), strict=True):
        tally.add(engine.logits(part), expected)
    return tally.missed[1:]


def compare(name, recipe, epochs, micro_batch, rounds) -> None:
    """Time the ways in turns, and print their table."""
    data = SOURCES["digits5k" if name.startswith("mnist") else "digits5k_as_cifar10"]()
    network, states = sources(parse_network(name).seed(0), recipe, epochs, data)
    images, labels = data.normalize(data.test_images), data.test_labels
    given = network, unit_modules(parse_network(name)), states, images, labels, micro_batch
    ways = {
        "plain loop": lambda: plain_loop(*given),
        "one pass": lambda: one_pass(*given),
        "one pass, sources joined": lambda: one_pass(*given, joined=len(states)),
    }
    seconds = {way: [] for way in ways}
    for _ in range(rounds):
        for way, run in ways.items():
            started = time.process_time()
            run()
            seconds[way].append(time.process_time() - started)
    work, different = {}, {}
    for way, run in ways.items():
        with FlopCounterMode(display=False) as counter:
            result = run()
        work[way] = counter.get_total_flops() / 2
        if way == "plain loop":
            expected = result
        else:
            different[way] = int((result != expected).sum())
    assert different["one pass"] == 0
    print(
        f"\nProbe of {name}, width {recipe.width}, {len(states)} sources, {len(images)} images, "
        f"{describe()}, median of {rounds} interleaved rounds\n"
    )
    print("| way | CPU s | faster | 10^9 multiply-adds | less work | other images wrong |")
    print("|---|---:|---:|---:|---:|---:|")
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    for way, median in medians.items():
        print(
            f"| {way} | {median:.3f} | {medians['plain loop'] / median:.1f}x "
            f"| {work[way] / 1e9:.1f} | {work['plain loop'] / work[way]:.1f}x "
            f"| {different.get(way, 0)} of {expected.numel()} |"
        )


def memory_of_resnet152() -> None:
    """Probe three units of a full-width ResNet152, and print how much memory it took."""
    experiment = parse_network("cifar10/resnet152").seed(0)
    network, state = (
        draw(experiment, "lecun_normal", (3, 32, 32), 10, purpose=purpose)
        for purpose in ("initial", "rerand0")
    )
    network.to(memory_format=torch.channels_last)
    first = ("stage0", "stage1.resblk1", "final_linear")
    units = unit_modules(experiment.network)
    engine = engine_of(network, units, first, [state.state_dict()])
    images = torch.randn(256, 3, 32, 32)
    micro_batch = engine.begin(images[:CHECKED], BUDGET, checked=False)
    process, peak, done = psutil.Process(), 0, threading.Event()
    before = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in engine.logits(images[:micro_batch]):
        pass
    done.set()
    watcher.join()
    print(
        f"\nProbe of cifar10/resnet152, full width: with a budget of {BUDGET / 1e9:.1f} GB the "
        f"micro-batch is {micro_batch}, and the activations took {(peak - before) / 1e9:.1f} GB."
    )


def main() -> None:
    torch.set_num_threads(1)
    for case in CASES:
        compare(*case)
    memory_of_resnet152()


if __name__ == "__main__":
    main()

"""The probe of FCN 3x256 against the plain loop over (unit, source), each a full forward pass.

Test images are resident as normalized tensors for both, the micro-batch is the same, the runs are
interleaved, and the predictions have to be equal. The multiply-adds that remain are counted by
torch's FlopCounterMode.
"""

import statistics
import time
from copy import deepcopy

import torch
from machine import describe
from torch.utils.flop_counter import FlopCounterMode

from layer_robustness.experiments import parse_network
from layer_robustness.models.build import draw
from layer_robustness.models.sequence import unit_state
from layer_robustness.probe import Reset, probe
from layer_robustness.recipe import Recipe
from layer_robustness.sources import digits5k
from layer_robustness.training import train
from layer_robustness.trainstate import TrainState

ROUNDS = 15
MICRO_BATCH = 1000
EPOCHS = 8
EXPERIMENT = parse_network("mnist/fcn3x256").seed(0)
RECIPE = Recipe(
    EPOCHS, 128, 0.01, (), 0.2, 0.9, 0.0, tuple(range(EPOCHS + 1)), "uniform_fan_in", "float32"
)


def sources(data) -> tuple[torch.nn.Module, list[dict]]:
    """Train, and return the final network and 9 sources: a fresh draw and epochs 0 to 7."""
    network = draw(EXPERIMENT, "uniform_fan_in", data.image_shape, 10)
    fresh = draw(EXPERIMENT, "uniform_fan_in", data.image_shape, 10, "rerand0").state_dict()
    states = [fresh, {name: tensor.clone() for name, tensor in network.state_dict().items()}]

    def keep(_, state):
        states.append({name: tensor.detach().clone() for name, tensor in state.weights.items()})

    train([EXPERIMENT], [TrainState(dict(network.state_dict()))], RECIPE, data, keep)
    network.load_state_dict(states.pop())
    return network, states


@torch.inference_mode()
def plain_loop(network, states, images):
    predictions = []
    final = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    changed = deepcopy(network).eval()
    for unit in network.unit_names:
        for state in states:
            changed.get_submodule(unit).load_state_dict(unit_state(state, unit))
            predictions.append(
                torch.cat([changed(batch).argmax(1) for batch in images.split(MICRO_BATCH)])
            )
            changed.get_submodule(unit).load_state_dict(unit_state(final, unit))
    return torch.stack(predictions)


def main() -> None:
    torch.set_num_threads(1)
    data = digits5k()
    network, states = sources(data)
    images = data.normalize(data.test_images)
    resets = [Reset(frozenset([unit]), s) for unit in network.unit_names for s in states]
    ways = {
        "plain loop": lambda: plain_loop(network, states, images),
        "one pass": lambda: probe(network, resets, images, data.test_labels, MICRO_BATCH),
        "one pass, sources joined": lambda: probe(
            network, resets, images, data.test_labels, MICRO_BATCH, joined=len(states)
        ),
    }
    seconds = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            started = time.perf_counter()
            run()
            seconds[way].append(time.perf_counter() - started)
    work = {}
    for way, run in ways.items():
        with FlopCounterMode(display=False) as counter:
            result = run()
        work[way] = counter.get_total_flops() / 2
        if way != "plain loop":
            result = result.predictions[1:]
        else:
            expected = result
        assert torch.equal(result, expected), way
    print(
        f"\nProbe of FCN 3x256, {len(states)} sources, {len(images)} images, {describe()}, "
        f"median of {ROUNDS} interleaved rounds; equal predictions\n"
    )
    print("| way | seconds | faster | 10^9 multiply-adds | less work |\n|---|---:|---:|---:|---:|")
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    for way, median in medians.items():
        print(
            f"| {way} | {median:.3f} | {medians['plain loop'] / median:.1f}x "
            f"| {work[way] / 1e9:.1f} | {work['plain loop'] / work[way]:.1f}x |"
        )


if __name__ == "__main__":
    main()

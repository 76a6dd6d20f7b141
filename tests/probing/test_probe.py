"""The engine against its definition: a plain loop of full passes, with equal predictions."""

import math
from collections import OrderedDict
from copy import deepcopy

import pytest
import torch
from torch import nn

from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw
from layer_robustness.models.initialization import LAWS, initialize
from layer_robustness.models.sequence import UnitSequence
from layer_robustness.probing.engine import Reset, fitting_micro_batch, largest_activation, probe
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator

MICRO_BATCH = 48  # 200 images: the last batch is a short one


class Block(nn.Module):
    """A pre-activation residual block, with or without batch normalization."""

    def __init__(self, channels: int, normalized: bool):
        super().__init__()
        self.norm = nn.BatchNorm2d(channels) if normalized else nn.Identity()
        self.first = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.second = nn.Conv2d(channels, channels, 3, padding=1, bias=False)

    def forward(self, x):
        return x + self.second(self.first(self.norm(x).relu()).relu())


def residual(normalized: bool) -> UnitSequence:
    head = OrderedDict(pool=nn.AdaptiveAvgPool2d(2), flatten=nn.Flatten(), linear=nn.Linear(32, 10))
    return UnitSequence(
        OrderedDict(
            stage0=nn.Conv2d(1, 8, 3, stride=2, bias=False),
            block1=Block(8, normalized),
            block2=Block(8, normalized),
            final_linear=nn.Sequential(head),
        )
    )


def small_fcn() -> UnitSequence:
    return draw(parse_experiment("mnist/fcn3x32/seed0"), "he_normal", (1, 28, 28), 10)


NETWORKS = {
    "fcn": small_fcn,
    "residual": lambda: residual(False),
    "batch norm": lambda: residual(True),
}


def train_a_little(network, images, labels) -> list[dict]:
    """Return the states after 0, 3 and 30 steps: real weights and running statistics."""
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05, momentum=0.9)
    states = []
    for step in range(31):
        if step in (0, 3, 30):
            states.append({k: v.clone() for k, v in network.state_dict().items()})
        loss = nn.functional.cross_entropy(network.train()(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return states


def plain_loop(network, resets, images):
    """Logits [R + 1, N, classes] by definition."""
    everything = []
    for reset in [Reset(frozenset(), {}), *resets]:
        changed = deepcopy(network).eval()
        state = changed.state_dict()
        for name in state:
            if name.split(".")[0] in reset.units:
                state[name] = reset.state[name]
        changed.load_state_dict(state)
        with torch.no_grad():
            everything.append(torch.cat([changed(batch) for batch in images.split(MICRO_BATCH)]))
    return torch.stack(everything)


@pytest.fixture(params=NETWORKS)
def case(request, few_digits):
    network = NETWORKS[request.param]()
    initialize(network, LAWS["he_normal"], generator("probe", request.param))
    images = few_digits.normalize(few_digits.test_images)
    initial, early, final = train_a_little(
        network,
        few_digits.normalize(few_digits.train_images[:128]),
        few_digits.train_labels[:128],
    )
    network.load_state_dict(final)
    units = network.unit_names
    groups = [{unit} for unit in units] + [set(units), set(units[1::2]), {units[0], units[-1]}]
    resets = [Reset(frozenset(g), s) for g in groups for s in (initial, early, final)]
    return network, resets, images, few_digits.test_labels


def test_predictions_equal_the_plain_loop(case):
    network, resets, images, labels = case
    logits = plain_loop(network, resets, images)
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    outcome = probe(network, resets, images, labels, MICRO_BATCH)
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())
    assert torch.equal(outcome.predictions, logits.argmax(2))
    loss = nn.functional.cross_entropy(
        logits.flatten(0, 1), labels.repeat(len(logits)), reduction="none"
    ).view(outcome.losses.shape)
    torch.testing.assert_close(outcome.losses, loss.double())
    # The case would be empty if resets changed nothing.
    assert len(outcome.predictions.unique(dim=0)) > len(network.unit_names)


def test_resets_that_travel_joined_give_the_same_predictions(case):
    network, resets, images, labels = case
    double = deepcopy(network).double()
    resets = [
        Reset(r.units, {k: v.double() if v.is_floating_point() else v for k, v in r.state.items()})
        for r in resets
    ]
    outcome = probe(double, resets, images.double(), labels, MICRO_BATCH, joined=4)
    logits = plain_loop(double, resets, images.double())
    assert torch.equal(outcome.predictions, logits.argmax(2))


def test_a_source_that_equals_the_final_weights_costs_nothing(case):
    network, resets, images, labels = case
    unchanged = [reset for reset in resets if reset.state is resets[2].state]
    passes = []
    network.get_submodule(network.unit_names[0]).register_forward_hook(lambda *_: passes.append(1))
    outcome = probe(network, unchanged, images, labels, len(images))
    assert len(passes) == 1
    assert (outcome.predictions == outcome.predictions[0]).all()


def test_units_and_states_that_do_not_fit_are_refused(few_digits):
    network = small_fcn()
    images, state = few_digits.normalize(few_digits.test_images), network.state_dict()
    partial = {name: tensor for name, tensor in state.items() if "bias" in name}
    prefixed = {f"module.{name}": tensor for name, tensor in state.items()}
    wrong = {
        "unit 'layr1' is unknown": Reset(frozenset({"layr1"}), state),
        "unit layer1 to has other": Reset(frozenset({"layer1"}), partial),
        "unit layer2 to has other": Reset(frozenset({"layer2"}), prefixed),
    }
    for complaint, reset in wrong.items():
        with pytest.raises(InputError, match=complaint):
            probe(network, [reset], images, few_digits.test_labels, MICRO_BATCH)


def test_a_unit_that_writes_into_its_input_is_refused(few_digits):
    layers = [("layer1", nn.Conv2d(1, 2, 3)), ("layer2", nn.LeakyReLU(inplace=True))]
    network = UnitSequence(OrderedDict([*layers, ("layer3", nn.Flatten())]))
    images = few_digits.normalize(few_digits.test_images)
    with pytest.raises(InputError, match="unit layer2 changes its input in place"):
        probe(network, [], images, few_digits.test_labels, MICRO_BATCH)


@pytest.mark.parametrize("image", [0, MICRO_BATCH + 3], ids=["first", "later"])
def test_activations_that_are_not_a_number_are_said_to_be(few_digits, image):
    """An infinite pixel makes inf - inf in some unit; only the first micro-batch knows in which."""
    images = few_digits.normalize(few_digits.test_images)
    images[image, 0, 14] = math.inf
    unit = "layer1" if image == 0 else "layer4"
    with pytest.raises(InputError, match=f"unit {unit} outputs NaN"):
        probe(small_fcn(), [], images, few_digits.test_labels, MICRO_BATCH)


def test_the_micro_batch_stays_inside_the_budget():
    network = small_fcn()
    image = torch.zeros(1, 1, 28, 28)
    assert largest_activation(network, image) == 784 * 4
    assert fitting_micro_batch(network, image, 10**9, 250, 1) == 250
    assert fitting_micro_batch(network, image, 784 * 4 * 5 * 20, 250, 1) == 20
    assert fitting_micro_batch(network, image, 1, 250, 9) == 1

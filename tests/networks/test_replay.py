"""The engine against its definition: full passes of changed copies, with equal logits."""

import math

import pytest
import torch
from torch import nn

from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import Probe
from layer_robustness.probing.sources import States, make_sources
from support import networks
from support.networks import plain_logits, some_images

GENEROUS = 10**9


def probed(network, units, states, names, images, most=100) -> Probe:
    """A probe of some units that has checked itself, with the tape of these images."""
    taken = cut(network.eval(), units)
    every = math.ceil(len(taken.units) / most)
    taken.units = dict(list(taken.units.items())[::every])
    probe = Probe(network, taken, make_sources(names, 1, states), GENEROUS)
    probe.run([(images, torch.zeros(len(images)))], torch.device("cpu"))
    probe.replay.record(images)
    return probe


@pytest.mark.parametrize("name", networks.NAMES)
def test_logits_are_those_of_the_plain_loop(name):
    network, images = networks.fresh(name), some_images()
    states = States(network, fresh=lambda: networks.fresh(name))
    probe = probed(network, "stage", states, ["rerand"], images, most=4)
    clean = plain_logits(network, {}, images)
    for reset in probe.resets:
        state = {key: states.draw(0)[key] for key in reset.names if key in network.state_dict()}
        expected = plain_logits(network, state, images)
        # Twice: nothing is left over from the reset before it.
        for _ in range(2):
            assert torch.equal(probe.replayed(state, images), expected), reset.unit
        assert reset.engine == "replay"
        assert not torch.equal(expected, clean), reset.unit
    assert torch.equal(plain_logits(network, {}, images), clean)


class Small(nn.Module):
    """Two blocks of which a test may spoil something."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.Conv2d(3, 3, 1) for _ in range(2))
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.between(self.second(self.between(self.first(x)))).mean((2, 3)))

    def between(self, x):
        return x


class WritesIntoOutputs(Small):
    def between(self, x):
        return x.add_(1).relu_()


class WritesIntoInput(Small):
    def forward(self, x):
        return super().forward(x.sub_(0.5).div_(2))


class Counts(Small):
    """Calls fewer blocks where one of them is reset."""

    def __init__(self):
        super().__init__()
        self.register_buffer("trained", self.second.weight.detach().clone(), persistent=False)

    def forward(self, x):
        for _ in range(1 + torch.equal(self.second.weight, self.trained)):
            x = self.first(x)
        return self.head(self.second(x).mean((2, 3)))


class UsesWeightsOfItsOwn(Small):
    """Computes with a block's weights before it calls the block."""

    def forward(self, x):
        return super().forward(x + self.first(x) * self.second.weight.mean())


class UsesWeightsOutside(Small):
    """Never calls the block that owns the weights."""

    def forward(self, x):
        x = nn.functional.conv2d(x, self.first.weight, self.first.bias)
        return self.head(self.second(x).mean((2, 3)))


class Shares(Small):
    """Two names of one block."""

    def __init__(self):
        super().__init__()
        self.second = self.first


class TiesWeights(Small):
    """Two blocks with one and the same weight."""

    def __init__(self):
        super().__init__()
        self.second.weight = self.first.weight


class ChangesLists(Small):
    """Blocks that put out a list, which is changed behind them."""

    def __init__(self):
        super().__init__()
        self.first = Pair()

    def forward(self, x):
        both = self.first(x)
        both[0] = self.second(both[0]) + both.pop()
        return self.head(both[0].mean((2, 3)))


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return [self.inner(x), x]


class Remembers(Small):
    """Keeps in evaluation mode what it computed from weights, as timm's LeViT does."""

    def forward(self, x):
        if self.training:
            self.__dict__.pop("kept", None)
        return super().forward(x + self.__dict__.setdefault("kept", self.first.weight.sum() * 1))

    def train(self, mode=True):
        if mode:
            self.__dict__.pop("kept", None)
        return super().train(mode)


class PutsOutAnObject(Small):
    def forward(self, x):
        return type("Output", (), {"logits": super().forward(x)})()


FULL = {Counts: {"second"}, UsesWeightsOfItsOwn: {"second"}}


@pytest.mark.parametrize(
    "kind",
    [Small, *Small.__subclasses__()],
    ids=lambda kind: kind.__name__,
)
def test_networks_that_are_hard_to_replay(kind):
    torch.manual_seed(3)
    network, other = kind().eval(), kind()
    images = some_images(4)
    before = images.clone()
    states = States(network, named={"other": other.state_dict()})
    probe = probed(network, "block", states, ["other"], images)
    for reset in probe.resets:
        state = {key: other.state_dict()[key] for key in reset.names}
        expected = full_logits(network, state, images)
        clean = full_logits(network, {}, images)
        for _ in range(2):  # the first replay leaves the tape as it was
            assert torch.equal(probe.logits(reset, images, clean, False), expected), reset.unit
        assert not torch.equal(expected, clean)
    full = {reset.unit for reset in probe.resets if reset.engine == "full pass"}
    assert full == FULL.get(kind, set())
    assert torch.equal(images, before)


def full_logits(network, state, images):
    output = plain_logits(network, state, images.clone())
    return getattr(output, "logits", output)


def test_the_network_is_as_it_was_even_after_an_error():
    network, images = Small(), some_images(4)
    before = {key: (id(t), t.clone()) for key, t in network.state_dict(keep_vars=True).items()}
    probe = probed(network, "block", States(network), ["zero"], images)
    with pytest.raises(RuntimeError):
        probe.replayed({"second.weight": torch.zeros(3, 4, 1, 1)}, images)
    after = network.state_dict(keep_vars=True)
    assert all(id(after[key]) == name for key, (name, _) in before.items())
    assert all(torch.equal(after[key], tensor) for key, (_, tensor) in before.items())
    assert all("forward" not in vars(module) for module in network.modules())


def test_nothing_before_the_reset_is_computed_again():
    network, images = Small(), some_images(4)
    probe = probed(network, "block", States(network), ["zero"], images)
    calls = []
    for name, module in network.named_children():
        module.register_forward_hook(lambda *_, name=name: calls.append(name))
    inner = nn.Conv2d.forward

    def computed(module, x):
        calls.append("computed")
        return inner(module, x)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Conv2d, "forward", computed)
        probe.replayed({"second.weight": torch.zeros(3, 3, 1, 1)}, images)
    assert calls.count("computed") == 1


def test_the_tape_stays_inside_the_memory():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 64 * 64, 2)).eval()
    per_image = 4 * 64 * 64 * 4
    for memory, expected in [(GENEROUS, 128), (20 * per_image * 9, 19), (1, 1)]:
        probe = Probe(network, cut(network, "block"), [], memory)
        probe.run([(some_images(4), torch.zeros(4))], torch.device("cpu"))
        assert probe.micro_batch == expected

"""The engine against its definition: full passes of changed copies, with equal logits."""

import math

import pytest
import torch
from torch import nn

from layer_robustness.experiments.names import parse_network
from layer_robustness.probing import engine as engines
from layer_robustness.probing.cut import cut
from layer_robustness.probing.engine import Engine, Reset
from layer_robustness.probing.sources import States, make_sources
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import arithmetic
from support import networks
from support.networks import engine_of, plain_logits, some_images

GENEROUS = 10**9


def engine_on(network, units, states, names, images, joined=1, most=100) -> Engine:
    """The resets of some units, checked, with the tape of these images."""
    taken = cut(network, units)
    every = math.ceil(len(taken.units) / most)
    chosen = list(taken.units.items())[::every]
    sources = make_sources(names, 1, states)
    resets = [Reset(unit, own, source) for unit, own in chosen for source in sources]
    engine = Engine(network, taken.modules, resets, joined)
    engine.begin(images[:4], GENEROUS)
    engine.clean_pass(images)
    return engine


def by_definition(engine, images) -> torch.Tensor:
    """Logits [R + 1, N, classes] of full passes of copies."""
    values = [{}, *(reset.values for reset in engine.resets)]
    return torch.stack([plain_logits(engine.network, state, images) for state in values])


def by_engine(engine, images) -> torch.Tensor:
    found = {}
    for rows, logits in engine.logits(images):
        found |= dict(zip(rows, logits.chunk(len(rows)), strict=True))
    return torch.stack([found[row] for row in range(len(found))])


PAPERS = ["mnist/fcn3x32", "mnist/vgg11+bn", "mnist/resnet18+bn", "mnist/resnet4^2"]


@pytest.mark.parametrize("name", PAPERS)
def test_the_papers_networks_need_no_check(name, few_digits):
    """Single and joint resets, one by one and joined; a source that changes nothing costs nothing.

    In the workflow they are not held to copies, so they are here.
    """
    images = few_digits.normalize(few_digits.test_images[:8], torch.float64)
    engine = engine_of(parse_network(name), images)
    engine.begin(images[:4], GENEROUS, checked=False)
    expected = by_definition(engine, images)
    found = by_engine(engine, images)
    assert torch.equal(found, expected)
    assert torch.equal(by_engine(engine, images), expected)  # nothing is left over
    assert [not reset.values for reset in engine.resets] == [False, False, True] * (
        len(engine.resets) // 3
    )
    assert len(found.unique(dim=0)) == 1 + 2 * len(engine.resets) // 3
    engine.joined = 3
    torch.testing.assert_close(by_engine(engine, images), expected, rtol=1e-9, atol=1e-9)
    engine.begin(images[:2], GENEROUS)  # with the check
    assert {(reset.engine, reset.joins) for reset in engine.resets} == {("replay", True)}


def test_the_weights_of_bf16_are_not_those_of_the_reset_before(few_digits):
    """Autocast keeps rounded copies of weights, and knows these by identity."""
    images = few_digits.normalize(few_digits.test_images[:9])
    network = parse_network("mnist/fcn3x32")
    engine = engine_of(network, images.double())
    engine.network.float()
    for reset in engine.resets:
        reset.values = {name: value.float() for name, value in reset.values.items()}
    with arithmetic("bf16", torch.device("cpu")):
        engine.begin(images[:4], GENEROUS, checked=False)
        found = by_engine(engine, images)
    for row, reset in enumerate(engine.resets, 1):
        with arithmetic("bf16", torch.device("cpu")):
            assert torch.equal(found[row], plain_logits(engine.network, reset.values, images))


@pytest.mark.parametrize("name", networks.NAMES)
def test_logits_are_those_of_the_plain_loop(name):
    """One reset at a time; and two at a time, in another batch."""
    network, images = networks.fresh(name), some_images()
    states = States(network, fresh=lambda: networks.fresh(name))
    engine = engine_on(network, "stage", states, ["rerand", "zero"], images, most=4)
    expected = by_definition(engine, images)
    assert torch.equal(by_engine(engine, images), expected)
    assert {reset.engine for reset in engine.resets} == {"replay"}
    assert len(expected[::2].unique(dim=0)) == len(expected[::2])
    engine.joined = 2
    together = by_engine(engine, images)
    assert engines.close(together.nan_to_num(), expected.nan_to_num())
    assert torch.equal(plain_logits(network, {}, images), expected[0])


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


class WritesIntoOutputsInCalls(Small):
    """As a ReLU behind a convolution does; but what it changed is used once more."""

    def __init__(self):
        super().__init__()
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        x = self.first(x)
        y = x * 2
        return self.head((self.second(self.relu(x)) + x + y).mean((2, 3)))


class WritesIntoInput(Small):
    def forward(self, x):
        return super().forward(x.sub_(0.5).div_(2))


class Counts(Small):
    """Calls fewer blocks where one of them is reset."""

    def __init__(self):
        super().__init__()
        self.register_buffer("trained", self.second.weight.detach().clone())

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
    """Two names of one block, which is called by both."""

    def __init__(self):
        super().__init__()
        self.again = self.first

    def forward(self, x):
        return super().forward(self.again(x))


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


class Hooked(Small):
    """A hook that is no method keeps what is used later."""

    def __init__(self):
        super().__init__()
        self.hooked().register_forward_hook(lambda *call: setattr(self, "features", call[-1]))

    def hooked(self):
        return self.first

    def forward(self, x):
        return super().forward(x) + self.features.mean((1, 2, 3))[:, None]


class HookedInside(Hooked):
    """Its hook is not called when the tape answers for the unit around it."""

    def hooked(self):
        self.first = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1))
        return self.first[0]


class HoldsAFunction(Small):
    """The function knows these modules, and would know no copy's."""

    def __init__(self):
        super().__init__()
        self.stem = lambda x: self.second(self.first(x))

    def forward(self, x):
        return self.head(self.stem(x).mean((2, 3)))


def traced():
    return torch.jit.trace(Small().eval(), some_images(4))


def scripted():
    return torch.jit.script(Small())


HARD = [Small, *Small.__subclasses__(), HookedInside, traced, scripted]
# Units whose resets take full passes.
FULL = {
    Counts: {"second"},
    UsesWeightsOfItsOwn: {"second"},
    WritesIntoOutputsInCalls: {"second", "head"},
    HookedInside: {"second", "head"},
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("build", HARD, ids=lambda build: build.__name__)
def test_networks_that_are_hard_to_replay(build):
    """Held to the network that is built anew with the weights of a reset.

    A copy would not do for all: hooks and functions of it may know the first one's modules.
    """
    torch.manual_seed(3)
    network, images = build().eval(), some_images(4)
    before = images.clone()
    # Two sources of each unit: the replay of one leaves the tape as it was for the other.
    states = States(network, named={name: build().state_dict() for name in ("other", "another")})
    engine = engine_on(network, ["first", "second", "head"], states, list(states.named), images)
    for _ in range(2):
        clean, *found = by_engine(engine, images)
        assert torch.equal(clean, engines.logits_of(network, images.clone()))
        for reset, logits in zip(engine.resets, found, strict=True):
            again = build().eval()
            again.load_state_dict(network.state_dict())
            again.load_state_dict(reset.values, strict=False)
            assert torch.equal(logits, engines.logits_of(again, images.clone())), reset.unit
            assert not torch.equal(logits, clean)
    full = {reset.unit for reset in engine.resets if reset.engine == "full pass"}
    assert full == FULL.get(build, set())
    assert torch.equal(images, before)


class MixesImages(Small):
    """Logits of an image depend on the others of its batch."""

    def between(self, x):
        return x - x.mean(0)


class HasPositions(Small):
    """What a module puts out is not along the batch, but the same for all images."""

    def __init__(self):
        super().__init__()
        self.positions = nn.Embedding(64, 3)

    def between(self, x):
        return x + self.positions(torch.arange(64)).T[:, None]


class SequenceFirst(Small):
    """The images are dimension 1 of what modules put out."""

    def __init__(self):
        super().__init__()
        self.first, self.second = (nn.TransformerEncoderLayer(64, 1, 8) for _ in range(2))

    def forward(self, x):
        x = x.mean(2).movedim(1, 0)
        return self.head(self.second(self.first(x)).mean(2).T)


TOGETHER = {
    Small: {"first", "second", "head"},
    TiesWeights: {"first", "second", "head"},
    MixesImages: {"head"},
    HasPositions: {"first", "second", "head"},
    SequenceFirst: {"head"},
}


@pytest.mark.parametrize("kind", TOGETHER)
@pytest.mark.parametrize("count", [4, 5])  # the number that was checked, and another one
def test_resets_travel_together_where_that_changes_nothing(kind, count):
    network, images = kind(), some_images(count)
    named = {"other": kind().state_dict(), "another": kind().state_dict()}
    states = States(network, named=named)
    engine = engine_on(network, "block", states, list(named), images, joined=2)
    assert {reset.unit for reset in engine.resets if reset.joins} == TOGETHER[kind]
    torch.testing.assert_close(by_engine(engine, images), by_definition(engine, images))
    for (row, *others), _ in engine.logits(images):
        assert len(others) == (row > 0 and engine.resets[row - 1].joins)


def test_the_network_is_as_it_was_even_after_an_error():
    network, images = Small(), some_images(4)
    before = {key: (id(t), t.clone()) for key, t in network.state_dict(keep_vars=True).items()}
    engine = engine_on(network, "block", States(network), ["zero"], images)
    with pytest.raises(RuntimeError):
        engine.replay.run(images, 1, [{"second.weight": torch.zeros(3, 4, 1, 1)}])
    after = network.state_dict(keep_vars=True)
    assert all(id(after[key]) == name for key, (name, _) in before.items())
    assert all(torch.equal(after[key], tensor) for key, (_, tensor) in before.items())
    assert all("forward" not in vars(module) for module in network.modules())


def test_nothing_before_the_reset_is_computed_again(monkeypatch):
    """Nor what has no weights, such as the pooling."""
    pool, head = nn.AvgPool2d(2), nn.Sequential(nn.Flatten(), nn.Linear(3 * 16 * 16, 2))
    network = nn.Sequential(nn.Conv2d(3, 3, 1), pool, nn.Conv2d(3, 3, 1), pool, head)
    images, computed = some_images(4), []
    for kind in (nn.Conv2d, nn.AvgPool2d, nn.Linear):
        forward = kind.forward
        monkeypatch.setattr(
            kind, "forward", lambda module, x, f=forward: computed.append(module) or f(module, x)
        )
    engine = engine_on(network, "block", States(network), ["zero"], images)
    computed.clear()
    engine.replayed([engine.resets[1]], images)
    assert computed == [network[2], pool, head[1]]


@pytest.mark.parametrize("image", [0, 5])
def test_a_network_that_puts_out_nan_is_refused(image):
    """On the first images or on later ones: an infinite pixel makes inf - inf."""
    images = some_images()
    images[image, 0] = math.inf
    with pytest.raises(InputError, match="the network puts out NaN for some images"):
        engine_on(Small(), "block", States(Small()), ["zero"], images)


def test_the_tape_stays_inside_the_memory():
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4 * 64 * 64, 2))
    per_image = 4 * 64 * 64 * 4
    taken = cut(network, "block").modules
    for joined, memory, expected in [
        *((1, GENEROUS, 250), (1, 20 * per_image * 9, 19), (1, 1, 1)),
        (4, 20 * per_image * 21, 19),
    ]:
        assert Engine(network, taken, [], joined).begin(some_images(4), memory) == expected

import math

import pytest
import torch
from torch import nn

from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import draw
from layer_robustness.models.initialization import LAWS, initialize
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator

SHAPE = (1, 28, 28)


def fcn(name, law="uniform_fan_in"):
    return draw(parse_experiment(name), law, SHAPE, 10)


def test_an_fcn_is_its_units_in_order():
    network = fcn("mnist/fcn5x32/seed0")
    names = parse_experiment("mnist/fcn5x32/seed0").network.units
    assert names == tuple(f"layer{number}" for number in range(1, 7))
    images = torch.rand(7, *SHAPE)
    assert network(images).shape == (7, 10)
    weights = [network.get_submodule(name) for name in names]
    expected = images.flatten(1)
    for layer in weights[:-1]:
        expected = (expected @ layer.weight.T + layer.bias).clamp(min=0)
    expected = expected @ weights[-1].weight.T + weights[-1].bias
    torch.testing.assert_close(network(images), expected)


@pytest.mark.parametrize(
    ("law", "variance", "bounded", "biases"),
    [
        ("uniform_fan_in", 1 / (3 * 784), True, (1 / (3 * 784), 1 / (3 * 784))),
        ("xavier_normal", 2 / (784 + 512), False, (1 / (3 * 784), 0)),
        ("lecun_normal", 1 / 784, False, (0, 0)),
        ("he_normal", 2 / 784, False, (0, 0)),
    ],
)
def test_a_law_has_its_moments_and_bounds(law, variance, bounded, biases):
    """`biases` are the variances of those of a layer and of a convolution."""
    layer = fcn("mnist/fcn1x512/seed0", law).layer1
    weight = layer.weight.detach().double()
    deviations = math.sqrt(variance / weight.numel())
    assert abs(weight.mean()) < 5 * deviations
    assert weight.var() == pytest.approx(variance, rel=0.02)
    kurtosis = ((weight / weight.std()) ** 4).mean()
    assert kurtosis == pytest.approx(1.8 if bounded else 3, rel=0.03)
    if bounded:
        assert 0.999 / 28 < weight.abs().max() <= 1 / 28
    convolution = nn.Conv2d(16, 512, 7)
    initialize(convolution, LAWS[law], generator("test"))
    found = [part.bias.detach().double().var() for part in (layer, convolution)]
    assert found == pytest.approx(biases, rel=0.2)


def test_normalizations_start_as_the_identity():
    network = nn.Sequential(nn.BatchNorm2d(3))
    network[0].running_mean.fill_(7)
    network[0].weight.data.fill_(2)
    initialize(network, LAWS["he_normal"], generator("test"))
    assert network[0].running_mean.eq(0).all() and network[0].weight.eq(1).all()


def test_an_unknown_kind_of_module_is_refused():
    with pytest.raises(InputError, match="Embedding"):
        initialize(nn.Sequential(nn.Embedding(3, 4)), LAWS["he_normal"], generator("test"))

"""The count of multiply-adds and parameters, held to the networks as they are really built."""

import math
from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments.names import parse_network
from layer_robustness.models.build import build
from layer_robustness.planning.config import recipe_of
from layer_robustness.planning.cost import IMAGES, Images, cost
from support.plans import plan


@cache  # presets have networks in common
def counted(network, shape, classes, width) -> tuple[int, int]:
    """Multiply-adds by torch's own counter, and parameters; nothing is computed."""
    with torch.device("meta"):
        built = build(network, shape, classes, width).eval()
        with FlopCounterMode(display=False) as counter:
            built(torch.empty(1, *shape))
    return counter.get_total_flops() // 2, sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("preset", ["config", "fashion", "paper"])
def test_every_network_is_counted_as_it_is_built(preset):
    of_preset = plan(preset, imagenet_path="images")
    assert len(of_preset.networks) > 60
    for network in of_preset.networks:
        images = IMAGES[of_preset.source(network.dataset)]
        width = recipe_of(of_preset.config, network).width
        found = cost(network, images, width)
        expected = counted(network, images.shape, images.classes, width)
        assert (found.multiply_adds, found.parameters) == expected, network


@pytest.mark.parametrize("width", [0.05, 0.3, 1, 1.7])
@pytest.mark.parametrize(
    "name",
    [
        *("cifar10/resnet34+bn+removed", "imagenet/resnet18+wd+bn", "imagenet/resnet101"),
        *("cifar10/resnet4^4+bn", "cifar10/resnet50+frozen", "cifar10/vgg13+wd+bn"),
    ],
)
def test_other_widths_images_and_classes_are_counted_too(name, width):
    network, images = parse_network(name), Images(1, 1, (2, 45, 38), 7)
    found = cost(network, images, width)
    expected = counted(network, images.shape, images.classes, width)
    assert (found.multiply_adds, found.parameters) == expected


@pytest.mark.parametrize("name", ["cifar10/resnet50+bn", "cifar10/vgg11", "mnist/fcn3x256"])
def test_activations_are_what_convolutions_and_linear_layers_put_out(name):
    network, sizes = parse_network(name), []
    built = build(network, (3, 32, 32), 10, 0.25)
    for module in built.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda *args: sizes.append(args[2].numel()))
    built(torch.zeros(1, 3, 32, 32))
    assert cost(network, Images(1, 1, (3, 32, 32)), 0.25).activations == sum(sizes)


def sizes(name: str) -> Images:
    """Count what a source has."""
    found = SOURCES[name]()
    return Images(len(found.train_labels), len(found.test_labels), found.image_shape, found.classes)


def test_every_source_has_its_sizes():
    assert set(IMAGES) == set(SOURCES)


@pytest.mark.parametrize("name", [name for name in SOURCES if "digits5k" in name])
def test_the_sizes_of_digits_are_those_of_the_images(name):
    assert IMAGES[name] == sizes(name)


@pytest.mark.fashion_mnist
@pytest.mark.parametrize("name", ["fashion_mnist", "fashion_mnist_as_cifar10"])
def test_the_sizes_of_fashion_mnist_are_those_of_the_images(name, debians_fashion):
    assert IMAGES[name] == sizes(name)


def test_a_known_network_costs_what_is_published():
    """ResNet50 at 224: 4.1 x 10^9 multiply-adds, 25.5 x 10^6 parameters."""
    found = cost(parse_network("imagenet/resnet50+bn"), IMAGES["imagenet"])
    assert math.isclose(found.multiply_adds, 4.1e9, rel_tol=0.02)
    assert math.isclose(found.parameters, 25.5e6, rel_tol=0.01)

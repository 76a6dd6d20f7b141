"""The count of multiply-adds and parameters, held to the networks as they are really built."""

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from layer_robustness.config import recipe_of
from layer_robustness.cost import IMAGES, Images, cost
from layer_robustness.experiments import parse_network
from layer_robustness.models.build import build
from layer_robustness.sources import DEBIAN_FASHION, SOURCES
from test_plan import plan


def counted(network, images, width) -> tuple[int, int]:
    """Multiply-adds by torch's own counter, and parameters; nothing is computed."""
    with torch.device("meta"):
        built = build(network, images.shape, images.classes, width).eval()
        with FlopCounterMode(display=False) as counter:
            built(torch.empty(1, *images.shape))
    return counter.get_total_flops() // 2, sum(p.numel() for p in built.parameters())


@pytest.mark.parametrize("preset", ["config", "fashion", "paper"])
def test_every_network_is_counted_as_it_is_built(preset):
    of_preset = plan(preset, imagenet_path="images")
    assert len(of_preset.networks) > 60
    for network in of_preset.networks:
        images = IMAGES[of_preset.source(network.dataset)]
        width = recipe_of(of_preset.config, network).width
        found = cost(network, images, width)
        assert (found.multiply_adds, found.parameters) == counted(network, images, width), network


@pytest.mark.parametrize("width", [0.05, 0.3, 1, 1.7])
@pytest.mark.parametrize(
    "name",
    [
        *("cifar10/resnet34+bn+removed", "imagenet/resnet18+wd+bn", "imagenet/resnet101"),
        *("cifar10/resnet4^4+bn", "cifar10/resnet50+frozen", "cifar10/vgg13+wd+bn"),
    ],
)
def test_other_widths_images_and_classes_are_counted_too(name, width):
    images = Images(1, 1, (2, 45, 38), 7)
    found = cost(parse_network(name), images, width)
    assert (found.multiply_adds, found.parameters) == counted(parse_network(name), images, width)


@pytest.mark.parametrize("name", ["cifar10/resnet50+bn", "cifar10/vgg11", "mnist/fcn3x256"])
def test_activations_are_what_convolutions_and_linear_layers_put_out(name):
    network, sizes = parse_network(name), []
    built = build(network, (3, 32, 32), 10, 0.25)
    for module in built.modules():
        if isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            module.register_forward_hook(lambda *args: sizes.append(args[2].numel()))
    built(torch.zeros(1, 3, 32, 32))
    assert cost(network, Images(1, 1, (3, 32, 32)), 0.25).activations == sum(sizes)


def test_the_sizes_of_sources_are_those_of_their_images():
    assert set(IMAGES) == set(SOURCES)
    local = [name for name in SOURCES if "digits5k" in name]
    if DEBIAN_FASHION.is_dir():
        local += ["fashion_mnist", "fashion_mnist_as_cifar10"]
    for name in local:
        found = SOURCES[name]()
        sizes = Images(
            len(found.train_labels), len(found.test_labels), found.image_shape, found.classes
        )
        assert IMAGES[name] == sizes, name


def test_a_known_network_costs_what_is_published():
    """ResNet50 at 224: 4.1 x 10^9 multiply-adds, 25.5 x 10^6 parameters."""
    found = cost(parse_network("imagenet/resnet50+bn"), IMAGES["imagenet"])
    assert math.isclose(found.multiply_adds, 4.1e9, rel_tol=0.02)
    assert math.isclose(found.parameters, 25.5e6, rel_tol=0.01)

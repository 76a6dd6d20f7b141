"""VGG and ResNet against torchvision's and timm's own models, with the same weights loaded."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from layer_robustness.experiments.architectures import (
    IDENTITY_SKIP_STAGES,
    RESNET_STAGES,
    VGG_STAGES,
)
from layer_robustness.experiments.names import parse_experiment, parse_network
from layer_robustness.models.build import build, draw
from layer_robustness.models.initialization import LAWS, initialize
from layer_robustness.models.units import residual_blocks, state_of, unit_modules
from layer_robustness.probing.cut import cut
from layer_robustness.probing.distances import distances
from layer_robustness.runtime.seeding import generator

CIFAR, IMAGENET = (3, 32, 32), (3, 224, 224)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def copy_in_order(source: nn.Module, target: nn.Module) -> None:
    """Load a state whose tensors have other names, but the same order and shapes."""
    state = target.state_dict()
    tensors = source.state_dict().values()
    target.load_state_dict(dict(zip(state, tensors, strict=True)))


@pytest.mark.parametrize("ending", ["", "+bn"])
@pytest.mark.parametrize("architecture", [*VGG_STAGES, *RESNET_STAGES])
def test_a_network_has_the_parameters_of_the_librarys(architecture, ending):
    with torch.device("meta"):
        ours = build(parse_network(f"imagenet/{architecture}{ending}"), IMAGENET, 1000)
        if architecture in VGG_STAGES:
            theirs = getattr(torchvision.models, architecture + ending.replace("+", "_"))()
        else:
            theirs = timm.create_model(architecture.replace("resnet", "resnetv2_"))
    norms = [part for part in theirs.modules() if isinstance(part, nn.BatchNorm2d)]
    assert count(ours) == count(theirs) - (0 if ending else sum(map(count, norms)))


def test_a_vgg_of_other_depth_needs_its_stages_alone(monkeypatch):
    monkeypatch.setitem(VGG_STAGES, "vgg8", (1, 1, 1, 1, 1))
    network = parse_network("cifar10/vgg8")
    layers = [part for part in build(network, CIFAR, 10).modules() if isinstance(part, nn.Conv2d)]
    assert [layer.out_channels for layer in layers] == [64, 128, 256, 512, 512]
    assert len(network.units) == 5 + 3


@pytest.mark.parametrize("ending", ["", "+bn"])
def test_a_vgg_computes_what_torchvisions_does(ending):
    theirs = getattr(torchvision.models, "vgg16" + ending.replace("+", "_"))().eval()
    ours = build(parse_network(f"cifar10/vgg16{ending}"), CIFAR, 10).eval()
    copy_in_order(theirs.features, ours.features)
    images = torch.rand(2, 3, 64, 64, generator=generator("images"))
    torch.testing.assert_close(ours.features(images), theirs.features(images))
    theirs.avgpool = nn.Identity()
    theirs.classifier[0], theirs.classifier[6] = nn.Linear(512, 4096), nn.Linear(4096, 10)
    copy_in_order(ours.classifier, theirs.classifier)
    small = images[:, :, :32, :32]
    torch.testing.assert_close(ours(small), theirs(small))


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50"])
def test_a_normalized_resnet_computes_what_timms_does(architecture):
    theirs = timm.create_model(architecture.replace("resnet", "resnetv2_"), num_classes=10)
    ours = build(parse_network(f"imagenet/{architecture}+bn"), IMAGENET, 10)
    copy_in_order(theirs, ours)
    images = torch.rand(2, 3, 64, 64, generator=generator("images"))
    for mode in (True, False):  # batch statistics, then the running ones
        torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images))


def block_by_hand(block: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """The paper's Figure 7, written out: the skip takes the activated input where it is 1x1."""
    activated = x.relu()
    residual = activated
    for name in ("conv1", "conv2", "conv3"):
        if convolution := getattr(block, name, None):
            residual = convolution(residual if name == "conv1" else residual.relu())
    skip = x if block.downsample is None else block.downsample.conv(activated)
    return skip + residual


@pytest.mark.parametrize("architecture", ["resnet18", "resnet50", *IDENTITY_SKIP_STAGES])
def test_a_resnet_without_normalization_computes_its_blocks_by_hand(architecture):
    experiment = parse_experiment(f"cifar10/{architecture}/seed0")
    network = draw(experiment, "lecun_normal", CIFAR, 10, 0.125)
    names = " ".join(type(part).__name__ for part in network.modules())
    assert "Norm" not in names and not list(network.buffers())
    x = torch.randn(2, *CIFAR, generator=generator("images"))
    kept, expected = x.clone(), network.stem.conv(x)
    assert expected.shape[2:] == (32, 32)  # stride 1, no pooling
    shapes, skips = [], []
    for name, modules in list(unit_modules(experiment.network).items())[1:-1]:
        if "resblk" in name:
            block = network.get_submodule(*modules)
            expected = block_by_hand(block, expected)
            shapes.append(expected.shape[1:])
            skips.append(block.downsample)
        else:
            layer = network.get_submodule(*modules)
            (convolution,) = [part for part in layer.modules() if isinstance(part, nn.Conv2d)]
            assert (convolution.kernel_size, convolution.stride) == ((1, 1), (2, 2))
            expected = convolution(expected.relu())
    pooled = expected.relu().mean((2, 3), keepdim=True)
    torch.testing.assert_close(network(x), network.head.fc(pooled).flatten(1))
    assert torch.equal(x, kept)
    if architecture in IDENTITY_SKIP_STAGES:  # whose layers between the stages downsample
        assert not any(skips)
        assert shapes == [
            (8 * 2**stage, 32 // 2**stage, 32 // 2**stage)
            for stage, blocks in enumerate(IDENTITY_SKIP_STAGES[architecture])
            for _ in range(blocks)
        ]


NAMES = ["cifar10/vgg19+bn", "mnist/vgg16", "mnist/fcn3x256", "cifar10/resnet18+wd"]
NAMES += ["imagenet/resnet50+wd+bn", "cifar10/resnet50+removed", "cifar10/resnet4^4+wd+bn"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [16, 32])
def test_units_own_all_of_the_state_at_any_size(name, side):
    network = parse_network(name)
    shape = (1 if network.dataset == "mnist" else 3, side, side)
    built = build(network, shape, 7, 0.125)
    units, state = unit_modules(network), built.state_dict()
    assert tuple(units) == network.units
    owned = [name for modules in units.values() for name in state_of(modules, state)]
    assert owned == list(state)  # each once, and in this order
    taken = cut(built, units).units
    assert taken == {unit: list(state_of(modules, state)) for unit, modules in units.items()}
    assert built.eval()(torch.zeros(2, *shape)).shape == (2, 7)


def test_removed_blocks_are_not_there_at_any_depth():
    """With all but each stage's first block removed, ResNet50, 101 and 152 are the same."""
    names = [parse_network(f"cifar10/resnet{depth}+removed") for depth in (50, 101, 152)]
    assert len({str(build(name, CIFAR, 10, 0.125)) for name in names}) == 1
    units = [f"stage{stage}.resblk1" for stage in (1, 2, 3, 4)]
    assert [list(residual_blocks(name)) for name in names] == [units] * 3


# Figures 1b, 14b and 15b print a value for the fresh draw, which depends on the initial law alone.
PRINTED = [
    ("mnist/fcn3x256", "uniform_fan_in", "layer1", 0.385),
    ("cifar10/vgg16", "xavier_normal", "fc1", 1.264),
    ("cifar10/resnet50", "uniform_fan_in", "stage0", 1.08),
]


@pytest.mark.parametrize(("name", "law", "unit", "printed"), PRINTED)
def test_a_fresh_draw_is_as_far_as_the_paper_prints(name, law, unit, printed):
    shape = (1, 28, 28) if name.startswith("mnist") else CIFAR
    network = build(parse_network(name), shape, 10)
    modules = unit_modules(parse_network(name))[unit]
    states = []
    for purpose in ("initial", "fresh"):
        parts = nn.ModuleList(map(network.get_submodule, modules))
        initialize(parts, LAWS[law], generator(name, purpose))
        states.append({k: v.clone() for k, v in network.state_dict().items()})
    assert distances(*states, modules)["dist_l2"] == pytest.approx(printed, rel=0.08)

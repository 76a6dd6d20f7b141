"""ResNet18 to 152, version 2 (pre-activation): timm's ResNetV2, cut into units."""

import timm
from timm.layers import BatchNormAct2d
from torch import nn

from layer_robustness.architectures import RESNET_STAGES, unit_names
from layer_robustness.models.sequence import UnitSequence

STEM = 64
BASIC = (64, 128, 256, 512)  # ResNet18 and 34
BOTTLENECK = (256, 512, 1024, 2048)


def activation_only(_: int, apply_act: bool = True, **__: object) -> nn.Module:
    """Stand in timm's slot of normalization and activation, without normalization."""
    return nn.ReLU(inplace=False) if apply_act else nn.Identity()


def resnet(
    architecture: str,
    image_shape: tuple[int, int, int],
    classes: int,
    width: float = 1,
    normalized: bool = False,
    removed: bool = False,
    stem: str = "cifar",
) -> UnitSequence:
    """Build units stage0, each residual block, and final_linear with its final activation.

    Parameters
    ----------
    width
        Factor of all channels, which timm rounds to multiples of 8.
    normalized
        With batch normalization; else with none at all.
    removed
        Leave out all residual blocks but the first of each stage.
    stem
        `cifar` is a 3x3 convolution, `imagenet` a 7x7 one with stride 2 and 3x3 pooling.
    """
    basic = architecture in ("resnet18", "resnet34")
    network = timm.create_model(
        f"resnetv2_{architecture.removeprefix('resnet')}",
        in_chans=image_shape[0],
        num_classes=classes,
        layers=(1, 1, 1, 1) if removed else RESNET_STAGES[architecture],
        stem_chs=round(STEM * width),
        channels=[round(count * width) for count in (BASIC if basic else BOTTLENECK)],
        norm_layer=BatchNormAct2d if normalized else activation_only,
    )
    if stem == "cifar":
        channels = network.stem.conv.out_channels
        network.stem.conv = nn.Conv2d(image_shape[0], channels, 3, padding=1, bias=False)
        network.stem.pool = nn.Identity()
    blocks = [block for stage in network.stages for block in stage.blocks]
    units = [network.stem, *blocks, nn.Sequential(network.norm, network.head)]
    return UnitSequence(dict(zip(unit_names(architecture, removed), units, strict=True)))

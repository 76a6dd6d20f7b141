"""ResNet18 to 152, 4^2 and 4^4, version 2 (pre-activation): timm's ResNetV2."""

from typing import Any

import timm
from timm.layers.norm_act import BatchNormAct2d
from timm.models.resnetv2 import ResNetV2
from torch import nn

from layer_robustness.experiments.architectures import (
    BASIC,
    IDENTITY_SKIP_STAGES,
    resnet_stages,
)


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
) -> ResNetV2:
    """Build timm's network; with the stem for small images, or with identity skips only.

    In 4^2 and 4^4 the first block of stage 2, 3, ... is nothing but the activation and the 1x1
    convolution with stride 2 that other ResNets have in the skip of a block. The paper says that
    there is such a layer, not what is in it.

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
    stages = resnet_stages(architecture, removed)
    identity_skips = architecture in IDENTITY_SKIP_STAGES
    network: Any = timm.create_model(
        "resnetv2_18" if architecture in BASIC else "resnetv2_50",
        in_chans=image_shape[0],
        num_classes=classes,
        # A block more where one is cut down to its downsampling.
        layers=[blocks + (identity_skips and stage > 0) for stage, blocks in enumerate(stages)],
        width_factor=width,
        norm_layer=BatchNormAct2d if normalized else activation_only,
    )
    if stem == "cifar":
        channels = network.stem.conv.out_channels
        network.stem.conv = nn.Conv2d(image_shape[0], channels, 3, padding=1, bias=False)
        network.stem.pool = nn.Identity()
    if identity_skips:
        for stage in network.stages[1:]:
            first = stage.blocks[0]
            stage.blocks[0] = nn.Sequential(first.norm1, first.downsample)
    return network

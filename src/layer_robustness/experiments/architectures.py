"""The paper's architectures by name, and the names of their units, without building anything."""

import re

from layer_robustness.runtime.errors import InputError

FCN = re.compile(r"fcn([1-9]\d*)x([1-9]\d*)")

# Convolutions of each of the five stages.
VGG_STAGES = {
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}

# Residual blocks of each of the four stages.
RESNET_STAGES = {
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}

# Networks of Section 6: stages of four residual blocks, all with identity skips. What changes the
# shape between two stages is a layer of its own.
IDENTITY_SKIP_STAGES = {
    "resnet4^2": (4, 4),
    "resnet4^4": (4, 4, 4, 4),
}

# Those of two convolutions, whose blocks do not widen; the others' have a bottleneck.
BASIC = ("resnet18", "resnet34", *IDENTITY_SKIP_STAGES)

NAMED = ", ".join([*VGG_STAGES, *RESNET_STAGES, *IDENTITY_SKIP_STAGES])
ALLOWED = f"fcnDxH (such as fcn3x256), {NAMED}"


def fcn_shape(architecture: str) -> tuple[int, int]:
    """Number of hidden layers and their width."""
    depth, width = architecture.removeprefix("fcn").split("x")
    return int(depth), int(width)


def kind_of(architecture: str) -> str:
    """Return `fcn`, `vgg` or `resnet`.

    Raises `InputError` if the architecture is none of the paper's.
    """
    if FCN.fullmatch(architecture):
        return "fcn"
    if architecture in VGG_STAGES:
        return "vgg"
    if architecture in RESNET_STAGES | IDENTITY_SKIP_STAGES:
        return "resnet"
    raise InputError(f"architecture {architecture!r} is unknown; allowed: {ALLOWED}")


def resnet_stages(architecture: str, removed: bool = False) -> tuple[int, ...]:
    """Return how many residual blocks each stage of a ResNet has; one where others are removed."""
    stages = (RESNET_STAGES | IDENTITY_SKIP_STAGES)[architecture]
    return (1,) * len(stages) if removed else stages


def in_stages(stages: tuple[int, ...], block: str) -> tuple[str, ...]:
    """Name the blocks of all stages: stage1.resblk1, stage1.resblk2, ..."""
    return tuple(
        f"stage{stage}.{block}{number}"
        for stage, blocks in enumerate(stages, 1)
        for number in range(1, blocks + 1)
    )


def unit_names(architecture: str, removed: bool = False) -> tuple[str, ...]:
    """Names of the units, first to last.

    `removed` leaves out all residual blocks but the first of each stage.
    """
    kind = kind_of(architecture)
    if kind == "fcn":
        depth, _ = fcn_shape(architecture)
        return tuple(f"layer{number}" for number in range(1, depth + 2))
    if kind == "vgg":
        return (*in_stages(VGG_STAGES[architecture], "block"), "fc1", "fc2", "final_linear")
    stages = resnet_stages(architecture, removed)
    units = ["stage0", *in_stages(stages, "resblk"), "final_linear"]
    if architecture in IDENTITY_SKIP_STAGES:
        for stage in range(2, len(stages) + 1):
            units.insert(units.index(f"stage{stage}.resblk1"), f"stage{stage}.downsample")
    return tuple(units)

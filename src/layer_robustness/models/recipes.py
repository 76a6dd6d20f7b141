"""From a recipe to its network: the paper's, or one beyond the paper."""

from typing import Any

import torch
from torch import nn

from layer_robustness.experiments.names import Experiment, Network
from layer_robustness.experiments.options import TORCHVISION, own_module, read_words
from layer_robustness.experiments.recipe import CONSTRUCTOR, Recipe
from layer_robustness.models.build import build, draw
from layer_robustness.models.named import check_origin, network_of
from layer_robustness.runtime.errors import InputError, in_one_line
from layer_robustness.runtime.seeding import generator

Shape = tuple[int, int, int]  # channels, height, width


def build_by(recipe: Recipe, network: Network, image_shape: Shape, classes: int) -> nn.Module:
    """Build a network whose weights are yet to be drawn or loaded."""
    if recipe.model:
        return named(recipe, image_shape, classes)
    return build(network, image_shape, classes, recipe.width)


def draw_by(
    recipe: Recipe,
    experiment: Experiment,
    image_shape: Shape,
    classes: int,
    purpose: str = "initial",
) -> nn.Module:
    """Build a network and draw its weights; they depend on names, recipe and purpose only.

    `purpose` is "initial" for epoch 0 and "rerand0", "rerand1", ... for the fresh draws.
    """
    law = recipe.initial_law
    if law != CONSTRUCTOR:
        return draw(experiment, law, image_shape, classes, recipe.width, purpose)
    with torch.random.fork_rng():
        torch.manual_seed(generator(experiment, purpose).initial_seed())
        return build_by(recipe, experiment.network, image_shape, classes)


def named(recipe: Recipe, image_shape: Shape, classes: int) -> nn.Module:
    """Build the network that a recipe names.

    timm's are told the number of classes and channels, torchvision's that of classes, where the
    options do not say them. A function of one's own gets the options alone.

    Raises `InputError` if it is unknown, is not to be called, or refuses its options.
    """
    fitting: dict[str, Any] = {"num_classes": classes, "in_chans": image_shape[0]}
    if recipe.model.startswith(TORCHVISION):
        del fitting["in_chans"]
    elif own_module(recipe.model):
        fitting = {}
    check_origin(recipe.model)
    return network_of(recipe.model, fitting | read_words(recipe.options))


@torch.no_grad()
def check(recipe: Recipe, image_shape: Shape, classes: int) -> None:
    """Refuse a recipe whose network cannot be built, or does not fit its images and classes."""
    network = named(recipe, image_shape, classes).eval()
    shape = "x".join(map(str, image_shape))
    described = " ".join(["model", recipe.model, *recipe.options])
    try:
        logits = network(torch.zeros(2, *image_shape))
    except Exception as error:
        raise InputError(
            f"{described} does not take images of {shape}: {in_one_line(error)}"
        ) from error
    found = list(logits.shape) if isinstance(logits, torch.Tensor) else type(logits).__name__
    if found != [2, classes]:
        raise InputError(
            f"{described} turns 2 images of {shape} into {found}: expected logits [2, {classes}]"
        )

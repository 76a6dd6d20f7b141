"""Presets by name, and of the user's own."""

from pathlib import Path

import pytest
import yaml

from layer_robustness.experiments.names import parse_network
from layer_robustness.planning.config import check, recipe_of, settings_of
from layer_robustness.planning.presets import preset_file
from layer_robustness.runtime.errors import InputError
from support.checkout import ROOT
from support.plans import NETWORKS, PRESETS, SCHEMA, SHIPPED, config_of, over_defaults, plan
from support.steps import line_of


@pytest.fixture
def imagenet(tmp_path) -> Path:
    """A folder that may be ImageNet's."""
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
    return tmp_path


@pytest.mark.parametrize("name", PRESETS)
def test_each_preset_alone_has_all_that_the_shared_defaults_leave_open(name, imagenet):
    """No preset is the base of another."""
    assert preset_file({"preset": name}, SHIPPED) == SHIPPED / f"{name}.yaml"
    config = config_of(name)
    assert config["preset"] == name
    check(config, SCHEMA, NETWORKS)
    check(config | {"imagenet_path": str(imagenet)}, SCHEMA, NETWORKS)


def test_imagenet_is_left_out_without_a_path():
    assert {job.dataset for job in plan("paper").jobs} == {"mnist", "cifar10"}
    assert "imagenet" in {job.dataset for job in plan("paper", imagenet_path="x").jobs}


def test_quick_is_the_default():
    assert preset_file({"device": "cpu"}, SHIPPED) == SHIPPED / "quick.yaml"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"preset": "papr"}, ["'papr'", ", ".join(PRESETS), "--configfile=FILE"]),
        ({"preset": "paper", "training": {}}, ["recipes of your own", "'paper'", "preset: mine"]),
        ({"training": {}}, ["'quick'", "preset: mine"]),
    ],
)
def test_names_that_stand_for_nothing_or_something_else_are_refused_in_one_line(given, words):
    told = line_of(preset_file, given, SHIPPED)
    assert all(word in told for word in words)


def test_a_preset_of_ones_own_inherits_the_shared_defaults_and_no_recipe():
    own = yaml.safe_load((ROOT / "tests/support/tiny.yaml").read_text())
    assert preset_file(own, SHIPPED) is None
    config = over_defaults(own)
    check(config, SCHEMA, NETWORKS)
    recipe = recipe_of(config, parse_network("mnist/fcn3x256+wd"))
    assert (recipe.epochs, recipe.momentum, recipe.weight_decay) == (1, 0.9, 0.0005)
    del own["training"]["*"]["epochs"]
    with pytest.raises(InputError, match="training has no epochs for cifar10/fcn3x16"):
        check(over_defaults(own), SCHEMA, NETWORKS)


def test_a_preset_of_some_networks_needs_recipes_of_those_alone():
    own = yaml.safe_load((ROOT / "tests/support/tiny.yaml").read_text())
    own["networks"] = ["cifar10/vgg*"]
    own["training"] = {"cifar10/vgg*": own["training"]["*"]}
    check(over_defaults(own), SCHEMA, NETWORKS)


@pytest.mark.parametrize(
    ("name", "law", "batch", "rate", "augmentation"),
    [
        ("mnist/fcn3x256", "uniform_fan_in", 128, 0.01, "none"),
        ("cifar10/vgg16+wd+bn", "xavier_normal", 128, 0.1, "pad_crop_flip"),
        ("cifar10/resnet4^2", "uniform_fan_in", 128, 0.01, "pad_crop_flip"),
        ("imagenet/resnet50+bn", "uniform_fan_in", 128, 0.1, "scaled_crop_flip"),
        ("imagenet/resnet152+wd", "uniform_fan_in", 64, 0.01, "scaled_crop_flip"),
    ],
)
def test_the_paper_preset_is_the_papers_recipe(name, law, batch, rate, augmentation):
    network = parse_network(name)
    recipe = recipe_of(config_of("paper"), network)
    assert (recipe.epochs, recipe.milestones, recipe.factor) == (100, (30, 60, 90), 0.2)
    assert (recipe.batch_size, recipe.momentum, recipe.width) == (batch, 0.9, 1)
    assert (recipe.initial_law, recipe.augmentation) == (law, augmentation)
    assert bool(recipe.weight_decay) == ("wd" in name)
    fcn = network.kind == "fcn"
    kept = (0, 1, 2, 3, 8, 40, 90, 100) if fcn else (0, 1, 10, 100)
    assert (recipe.checkpoints, recipe.learning_rate) == (kept, rate)
    assert settings_of(config_of("paper"), network)["seeds"] == (5 if fcn else 1)


def test_the_paper_preset_attacks_as_the_paper_did():
    """Where the paper says nothing, as is customary."""
    attacks = config_of("paper")["adversarial"]
    assert (attacks["test_examples"], attacks["repetitions"]) == (1000, 5)
    assert (attacks["eps"], attacks["step"], attacks["steps"]) == (8, 2, 20)

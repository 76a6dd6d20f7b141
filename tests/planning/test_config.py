"""Wrong configs are refused in one line that names key, value and what is allowed."""

from dataclasses import fields

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from snakemake.utils import update_config

from layer_robustness.attacks.accuracy import Settings
from layer_robustness.data.augmentation import OF_FILES
from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import FOLDER, IN_MEMORY
from layer_robustness.figures.registry import FIGURES
from layer_robustness.models.initialization import LAWS
from layer_robustness.planning.config import check, missing_source, recipe_of, seeds_of
from layer_robustness.planning.plan import Plan
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from layer_robustness.tables.registry import TABLES
from support.checkout import ROOT

SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
TARGETS = (*FIGURES.values(), *TABLES.values())
NETWORKS = {network for target in TARGETS for network in target.networks}
PRESETS = ("config", "paper", "fashion")
FCN = "training.*/fcn*"


def preset(name: str = "config") -> dict:
    """The config as Snakemake makes it: the quick preset, and another one over it."""
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / f"config/{name}.yaml").read_text()))
    return config


def put(config: dict, path: list[str], value: object) -> None:
    *folders, last = path
    for name in folders:
        config = config[name]
    config[last] = value


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_right_and_complete(name):
    check(preset(name), SCHEMA, NETWORKS)
    own = yaml.safe_load((ROOT / f"config/{name}.yaml").read_text())
    assert own == preset(name), "a key that is left out keeps the quick preset's value"


def test_the_paper_preset_is_the_papers_recipe():
    recipe = recipe_of(preset("paper"), parse_network("mnist/fcn3x256"))
    assert recipe.epochs == 100 and recipe.batch_size == 128 and recipe.momentum == 0.9
    assert recipe.milestones == (30, 60, 90) and recipe.factor == 0.2
    assert recipe.learning_rate == 0.01 and recipe.weight_decay == 0
    assert recipe.checkpoints == (0, 1, 2, 3, 8, 40, 90, 100)
    assert seeds_of(preset("paper"), parse_network("mnist/fcn3x16")) == 5
    assert recipe.augmentation == "none"


@pytest.mark.parametrize(
    ("name", "law", "batch", "augmentation"),
    [
        ("cifar10/vgg16+wd+bn", "xavier_normal", 128, "pad_crop_flip"),
        ("cifar10/resnet152", "uniform_fan_in", 128, "pad_crop_flip"),
        ("cifar10/resnet4^2", "uniform_fan_in", 128, "pad_crop_flip"),
        ("imagenet/resnet50+bn", "uniform_fan_in", 128, "resized_crop_flip"),
        ("imagenet/resnet101", "uniform_fan_in", 64, "resized_crop_flip"),
        ("imagenet/resnet152+wd", "uniform_fan_in", 64, "resized_crop_flip"),
    ],
)
def test_the_paper_preset_is_the_papers_recipe_for_deep_networks(name, law, batch, augmentation):
    recipe = recipe_of(preset("paper") | {"imagenet_path": "somewhere"}, parse_network(name))
    assert (recipe.initial_law, recipe.batch_size) == (law, batch)
    assert recipe.augmentation == augmentation and recipe.width == 1 and recipe.epochs == 100
    assert recipe.milestones == (30, 60, 90) and recipe.checkpoints == (0, 1, 10, 100)
    assert bool(recipe.weight_decay) == ("wd" in name)


def test_the_paper_preset_attacks_as_the_paper_did():
    """Where the paper says nothing, as is customary."""
    attacks = preset("paper")["adversarial"]
    assert (attacks["test_examples"], attacks["repetitions"]) == (1000, 5)
    assert (attacks["eps"], attacks["step"], attacks["steps"]) == (8, 2, 20)


def test_imagenet_is_left_out_without_a_path_and_kept_with_one(tmp_path):
    config = preset("paper")
    assert "no ImageNet path" in missing_source(config, "imagenet")
    assert {network.dataset for network in Plan(config).networks} == {"mnist", "cifar10"}
    for name in ("train", "val"):
        (tmp_path / name).mkdir()
    config["imagenet_path"] = str(tmp_path)
    check(config, SCHEMA, NETWORKS)
    assert "imagenet" in {network.dataset for network in Plan(config).networks}


def test_a_key_that_is_no_string_is_refused():
    config = preset()
    config["training"][16] = {"epochs": 3}
    with pytest.raises(InputError, match=r"training\.16 is a int; allowed: a string"):
        check(config, SCHEMA, NETWORKS)


def test_weight_decay_counts_where_the_name_says_so():
    assert recipe_of(preset(), parse_network("mnist/fcn3x256+wd")).weight_decay == 0.0005


def test_the_own_name_wins_then_the_longest_pattern_whatever_the_order():
    config = preset()
    config["training"] = {"mnist/fcn3x256": {"learning_rate": 0.5}, **config["training"]}
    config["training"]["mnist/fcn[35]x256"] = {"learning_rate": 0.7}
    assert recipe_of(config, parse_network("mnist/fcn3x256")).learning_rate == 0.5
    assert recipe_of(config, parse_network("mnist/fcn5x256")).learning_rate == 0.7
    assert recipe_of(config, parse_network("mnist/fcn3x64")).learning_rate == 0.01


def test_the_schema_lists_what_the_code_knows():
    adversarial = SCHEMA["properties"]["adversarial"]
    assert [field.name for field in fields(Settings)] == adversarial["required"]
    assert list(adversarial["properties"]) == adversarial["required"]
    recipe = SCHEMA["properties"]["training"]["additionalProperties"]["properties"]
    assert set(recipe["initial_law"]["enum"]) == set(LAWS)
    sources = SCHEMA["properties"]["datasets"]["properties"].values()
    assert {name for source in sources for name in source["enum"]} == set(SOURCES)
    assert set(recipe["augmentation"]["enum"]) == {*IN_MEMORY, *FOLDER}
    assert set(FOLDER) == set(OF_FILES)
    assert set(SCHEMA["properties"]["precision"]["enum"]) == set(PRECISIONS)


WRONG = [
    ("preset", "My Preset", ["preset", "My Preset", "matching"]),
    ("presett", "quick", ["presett", "did you mean preset", "allowed: preset"]),
    ("device", "tpu", ["device", "'tpu'", "auto, cpu, cuda"]),
    ("precision", "half", ["precision", "'half'", "float32, float64, tf32, bf16"]),
    ("datasets.mnist", "kmnist", ["datasets.mnist", "'kmnist'", "digits5k, mnist, fashion_mnist"]),
    ("datasets.svhn", "svhn", ["datasets.svhn", "allowed: mnist, cifar10, imagenet"]),
    (f"{FCN}.epochs", 0, [f"{FCN}.epochs", "0", "an integer >= 1"]),
    (f"{FCN}.epochs", "30", [f"{FCN}.epochs", "'30'", "an integer"]),
    (f"{FCN}.epochs", True, [f"{FCN}.epochs", "True", "an integer"]),
    (f"{FCN}.epochs", 20, ["checkpoints", "mnist/fcn", "from 0 to 20"]),
    (f"{FCN}.checkpoints", [1, 30], ["checkpoints", "[1, 30]", "from 0 to 30"]),
    (f"{FCN}.checkpoints", [0, 31], ["checkpoints", "[0, 31]", "from 0 to 30"]),
    (f"{FCN}.checkpoints", [0, 0, 30], ["checkpoints", "without repetitions"]),
    (f"{FCN}.checkpoints", 30, ["checkpoints", "30", "a list"]),
    (f"{FCN}.learning_rate", 0, ["learning_rate", "0", "a number > 0"]),
    (f"{FCN}.learning_rate", float("nan"), ["learning_rate", "nan", "finite"]),
    (f"{FCN}.learning_rate", "1e-2", ["learning_rate", "'1e-2'", "a number"]),
    (f"{FCN}.learning_rates", 1, ["learning_rates", "did you mean learning_rate"]),
    (f"{FCN}.milestones", [0], ["milestones", "0", ">= 1"]),
    (f"{FCN}.initial_law", "glorot", ["initial_law", "'glorot'", "he_normal"]),
    (f"{FCN}", None, ["*/fcn*", "None", "a mapping"]),
    ("training.*.momentum", 1, ["momentum", "1", "< 1"]),
    ("training.*.seeds", 0, ["seeds", "0", ">= 1"]),
    ("training.mnist/fnc*", {"epochs": 3}, ["mnist/fnc*", "matches no network", "mnist/fcn3x256"]),
    (
        "training.mnist/fcn3y256",
        {"epochs": 3},
        ["fcn3y256", "matches no network", "mnist/fcn3x256"],
    ),
    ("training.svhn/fcn3x256", {"epochs": 3}, ["svhn", "matches no network"]),
    ("training.mnist/fcn3x256", {"epochs": 3}, ["mnist/fcn3x256", "from 0 to 3"]),
    ("training.mnist/fcn3x265", {"epochs": 3}, ["mnist/fcn3x265", "matches no network"]),
    ("training.cifar10/alexnet*", {"epochs": 3}, ["cifar10/alexnet*", "matches no network"]),
    ("training.*/vgg*.width", 0, ["width", "0", "> 0"]),
    (f"{FCN}.width", 0.5, ["width", "0.5", "cifar10/fcn3x128", "allowed: 1"]),
    ("training.*/vgg*.augmentation", "flip", ["augmentation", "'flip'", "pad_crop_flip"]),
    ("training.*.augmentation", "resized_crop_flip", ["digits5k", "none, pad_crop_flip"]),
    ("gpu", 0, ["gpu", "0", "an integer >= 1"]),
    ("convolutional_jobs", "many", ["convolutional_jobs", "'many'", "shared, separate"]),
    ("imagenet_path", "/no/where", ["imagenet_path", "'/no/where'", "no folder train/"]),
    ("imagenet_path", 7, ["imagenet_path", "7", "a string or null"]),
    ("experiments", ["cifar10/alexnet/seed0"], ["experiments", "alexnet", "vgg11"]),
    ("experiments", ["cifar10/vgg16"], ["experiments", "cifar10/vgg16", "no seed"]),
    ("datasets.cifar10", "mnist", ["datasets.cifar10", "'mnist'", "digits5k_as_cifar10"]),
    ("training.*.seeds", 5.0, ["seeds", "5.0", "an integer"]),
    (f"{FCN}.checkpoints", [0, 1.0, 30], ["checkpoints", "1.0", "an integer"]),
    ("preset", "quick\n", ["preset", "matching"]),
    ("probe", 5, ["probe", "5", "a mapping"]),
    ("probe.draws", 1.5, ["probe.draws", "1.5", "an integer >= 1"]),
    ("probe.memory_gb", -1, ["probe.memory_gb", "-1", "> 0"]),
    ("adversarial.eps", 0, ["adversarial.eps", "0", "a number > 0 and <= 255"]),
    ("adversarial.choice", "image", ["adversarial.choice", "'image'", "example, batch"]),
    ("adversarial.attack_choice", True, ["adversarial.attack_choice", "fresh, fixed"]),
    ("adversarial.start", "zero", ["adversarial.start", "'zero'", "random, image"]),
    ("adversarial.eot_draw", 3, ["adversarial.eot_draw", "did you mean eot_draws"]),
    ("adversarial.steps", 2.0, ["adversarial.steps", "2.0", "an integer >= 1"]),
    ("training.cifar10/resnet4^2", {"epochs": 4}, ["resnet4^2", "from 0 to 4"]),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=[f"{k}={v}" for k, v, _ in WRONG])
def test_a_wrong_value_is_refused_in_one_line(key, value, words):
    config = preset()
    put(config, key.split("."), value)
    with pytest.raises(InputError) as refusal:
        check(config, SCHEMA, NETWORKS)
    message = str(refusal.value)
    assert "\n" not in message and "allowed" in message
    for word in words:
        assert word in message


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_a_missing_key_is_named(key):
    config = preset()
    del config[key]
    with pytest.raises(InputError, match=f"config key {key} is missing; allowed: "):
        check(config, SCHEMA, NETWORKS)


def test_a_recipe_without_a_value_is_refused():
    config = preset()
    del config["training"]["*"]["momentum"]
    with pytest.raises(InputError, match="training has no momentum for cifar10/fcn"):
        check(config, SCHEMA, NETWORKS)


def leaves(config: dict, path=()) -> list[tuple]:
    if not isinstance(config, dict):
        return [path]
    return [leaf for key, value in config.items() for leaf in leaves(value, (*path, key))]


NEVER_RIGHT = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(max_value=-1),
    st.floats(max_value=-1e-9),
    st.just(float("inf")),
    st.text(alphabet="?!ÄÖ 01\n", min_size=1),
    st.dictionaries(st.text(), st.integers(), min_size=1),
    st.lists(st.sampled_from([None, "a", -3, 1.5, True]), min_size=1),
)


@settings(max_examples=300, deadline=None)
@given(name=st.sampled_from(PRESETS), place=st.randoms(), wrong=NEVER_RIGHT)
def test_generated_wrong_values_are_refused_in_one_line(name, place, wrong):
    config = preset(name)
    path = place.choice(leaves(config))
    assume(not (path == ("imagenet_path",) and wrong is None))
    put(config, path, wrong)
    with pytest.raises(InputError) as refusal:
        check(config, SCHEMA, NETWORKS)
    message = str(refusal.value)
    assert message.startswith(f"config key {'.'.join(path)}")
    assert "allowed: " in message and "\n" not in message

"""Wrong configs are refused in one line that names key, value and what is allowed."""

from dataclasses import fields
from typing import get_args, get_type_hints

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from layer_robustness.attacks.settings import Settings
from layer_robustness.data.batches import OF_FILES
from layer_robustness.data.sources import SOURCES
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import FOLDER, IN_MEMORY, Recipe
from layer_robustness.models.initialization import LAWS
from layer_robustness.planning.config import check, recipe_of
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.precision import PRECISIONS
from support.plans import MISSING, NETWORKS, PRESETS, SCHEMA, put
from support.plans import config_of as preset
from support.steps import line_of

FCN = "training.*/fcn*"


def test_a_key_that_is_no_string_is_refused():
    config = preset()
    config["training"][16] = {"epochs": 3}
    with pytest.raises(InputError, match="key training: 16 is not of type 'string'"):
        check(config, SCHEMA, NETWORKS)


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
    assert tuple(recipe["optimizer"]["enum"]) == get_args(get_type_hints(Recipe)["optimizer"])
    sources = SCHEMA["properties"]["datasets"]["properties"].values()
    assert {name for source in sources for name in source["enum"]} == set(SOURCES)
    assert set(recipe["augmentation"]["enum"]) == {*IN_MEMORY, *FOLDER}
    assert set(FOLDER) == set(OF_FILES)
    assert set(SCHEMA["properties"]["precision"]["enum"]) == set(PRECISIONS)


WRONG = [
    ("preset", "My Preset", ["preset", "My Preset", "does not match"]),
    ("presett", "quick", ["presett", "did you mean preset", "allowed: preset"]),
    ("device", "tpu", ["device", "'tpu'", "'auto', 'cpu', 'cuda'"]),
    ("datasets.svhn", "svhn", ["datasets.svhn", "allowed: mnist, cifar10, imagenet"]),
    (f"{FCN}.epochs", True, [f"{FCN}.epochs", "True", "'integer'"]),
    (f"{FCN}.epochs", 20, ["checkpoints", "mnist/fcn", "from 0 to 20"]),
    (f"{FCN}.checkpoints", [1, 30], ["checkpoints", "[1, 30]", "from 0 to 30"]),
    (f"{FCN}.checkpoints", [0, 0, 30], ["checkpoints", "non-unique"]),
    (f"{FCN}.checkpoints", 30, ["checkpoints", "30", "'array'"]),
    (f"{FCN}.warmup", 31, ["training.warmup", "31", "cifar10/fcn", "0 to 20"]),
    (f"{FCN}.learning_rate", float("nan"), ["learning_rate", "nan", "'number'"]),
    (f"{FCN}.learning_rates", 1, ["learning_rates", "did you mean learning_rate"]),
    (f"{FCN}", None, ["*/fcn*", "None", "'object'"]),
    ("training.mnist/fnc*", {"epochs": 3}, ["mnist/fnc*", "matches no network", "mnist/fcn3x256"]),
    (f"{FCN}.width", 0.5, ["width", "0.5", "cifar10/fcn3x16", "allowed: 1"]),
    ("training.*.augmentation", "resized_crop_flip", ["digits5k", "none, pad_crop_flip"]),
    ("networks", ["cifar10/vgg*", "svhn/*"], ["networks", "'svhn/*'", "mnist/fcn_widths"]),
    ("networks", [], ["networks", "[]", "non-empty"]),
    ("training.mnist/fcn3x16", {"seeds": 2}, ["mnist/fcn3x32", "mnist/fcn3x16", "fcn_widths"]),
    ("imagenet_path", "/no/where", ["imagenet_path", "'/no/where'", "no folder train/"]),
    ("imagenet_path", 7, ["imagenet_path", "7", "'string', 'null'"]),
    ("training.*.seeds", 5.0, ["seeds", "5.0", "'integer'"]),
    ("preset", "quick\n", ["preset", "does not match"]),
    ("probe", 5, ["probe", "5", "'object'"]),
    ("adversarial.eps", 0, ["adversarial.eps", "0", "minimum of 0"]),
]


@pytest.mark.parametrize(("key", "value", "words"), WRONG, ids=[f"{k}={v}" for k, v, _ in WRONG])
def test_a_wrong_value_is_refused_in_one_line(key, value, words):
    config = preset()
    put(config, key.split("."), value)
    message = line_of(check, config, SCHEMA, NETWORKS)
    for word in words:
        assert word in message


@pytest.mark.parametrize("key", SCHEMA["required"])
def test_a_missing_key_is_named(key):
    config = preset()
    put(config, [key], MISSING)
    assert f"config key {key} is missing" in line_of(check, config, SCHEMA, NETWORKS)


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


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(PRESETS), place=st.randoms(), wrong=NEVER_RIGHT)
def test_generated_wrong_values_are_refused_in_one_line(name, place, wrong):
    config = preset(name)
    path = place.choice(leaves(config))
    right = (("imagenet_path", None), ("rates", [1.5]), ("units", ["a"]))
    assume((path[-1], wrong) not in right and "options" not in path)
    put(config, path, wrong)
    message = line_of(check, config, SCHEMA, NETWORKS)
    assert message.startswith(f"error: config key {'.'.join(path)}")

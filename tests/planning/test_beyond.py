"""Entries of `beyond`: what they train and probe, and one line for each that cannot be."""

import pytest

from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import CONSTRUCTOR
from layer_robustness.planning.config import check, recipe_of
from layer_robustness.planning.plan import Plan
from support.plans import MISSING, NETWORKS, SCHEMA, put
from support.plans import config_of as preset
from support.steps import line_of

RECIPE = {"epochs": 3, "learning_rate": 0.001, "milestones": [], "checkpoints": [0, 1, 3]}
RECIPE |= {"optimizer": "adamw", "warmup": 1, "weight_decay": 0.05}


@pytest.fixture
def config(tmp_path, monkeypatch):
    """One entry of each kind, in a folder with a network of one's own, weights and images."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text("def build(): ...")
    (tmp_path / "weights.pt").touch()
    (tmp_path / "images").mkdir()
    config = preset()
    config["beyond"] = {
        "vit": {
            **{"model": "vit_tiny_patch16_224", "data": "cifar10", "options": {"img_size": 14}},
            **{"sources": ["rerand", "reinit", "epoch1", "interpolate:0.5"], "draws": 3},
        },
        "own": {"model": "mine:build", "data": "mnist"},
        "parts": {"of": "vit", "units": ["blocks.*.attn"], "sources": ["zero"]},
        "papers": {"of": "cifar10/vgg16", "draws": 2},
        "given": {"model": "mine:build", "weights": "weights.pt", "data": "images"},
    }
    config["training"] = {k: v for k, v in config["training"].items() if "beyond" not in k}
    config["training"] |= {"beyond/*": dict(RECIPE), "beyond/own": {"seeds": 2}}
    return config


def test_a_trained_entry_is_a_job_with_the_recipe_of_its_patterns(config):
    check(config, SCHEMA, NETWORKS)
    recipe = recipe_of(config, parse_network("beyond/vit"))
    assert (recipe.optimizer, recipe.warmup, recipe.weight_decay) == ("adamw", 1, 0.05)
    assert (recipe.model, recipe.options) == ("vit_tiny_patch16_224", ("img_size=14",))
    assert (recipe.initial_law, recipe.width) == (CONSTRUCTOR, 1)
    plan = Plan(config)
    vit, own = plan.job("beyond/vit"), plan.job("beyond/own")
    assert (vit.dataset, vit.source, vit.draws) == ("cifar10", "digits5k_as_cifar10", 3)
    assert (own.seeds, own.source, own.own_source) == (2, "digits5k", ["mine.py"])
    assert plan.trainer(plan.entry("papers")) == plan.job("cifar10/vgg16")
    assert plan.job("cifar10/vgg16").draws == 2  # of `papers`
    assert vit.groups == vit.replaced == vit.own_source == []


def test_entries_are_probed_and_their_networks_trained_as_the_filter_asks(config):
    def jobs_and_entries(*patterns):
        check(config | {"networks": list(patterns)}, SCHEMA, NETWORKS)
        plan = Plan(config | {"networks": list(patterns)})
        return [job.name for job in plan.jobs], [entry.name for entry in plan.entries]

    jobs, probed = jobs_and_entries("*")
    assert jobs[-2:] == ["beyond/vit", "beyond/own"] and jobs.count("cifar10/vgg16") == 1
    assert probed == list(config["beyond"])
    assert jobs_and_entries("beyond/parts") == (["beyond/vit"], ["parts"])
    assert jobs_and_entries("beyond/papers") == (["cifar10/vgg16"], ["papers"])
    assert jobs_and_entries("beyond/given") == ([], ["given"])
    assert jobs_and_entries("cifar10/vgg16") == (["cifar10/vgg16"], [])


def test_without_imagenet_what_is_trained_on_it_is_left_out(config):
    config["datasets"]["imagenet"] = "imagenet"
    config["beyond"]["vit"]["data"] = "imagenet"
    check(config, SCHEMA, NETWORKS)  # though its recipe does not fit photographs
    plan = Plan(config)
    assert "beyond/vit" not in [job.name for job in plan.jobs]
    assert not {"vit", "parts"} & {entry.name for entry in plan.entries}


def test_a_recipe_may_be_for_a_network_that_only_an_entry_needs(config):
    config["beyond"]["deep"] = {"of": "mnist/resnet18"}
    config["training"]["mnist/resnet*"] = {"learning_rate": 0.5}
    check(config, SCHEMA, NETWORKS)
    assert Plan(config).job("mnist/resnet18").recipe.learning_rate == 0.5


def test_a_part_of_a_sweep_has_the_recipe_of_all_its_networks(config):
    """All of the sweep is trained, though `networks` does not name it."""
    config["beyond"]["small"] = {"of": "mnist/fcn3x64"}
    config["training"]["mnist/fcn3x64"] = {"seeds": 1}
    config["networks"] = ["beyond/small"]
    told = line_of(check, config, SCHEMA, NETWORKS)
    assert "allowed: one recipe for all networks of the sweep mnist/fcn_widths" in told


WRONG = [
    ("beyond.vit.modle", "x", "beyond.vit.modle is unknown (did you mean model?)"),
    ("beyond.vit.draws", 0, "beyond.vit.draws: 0 is less than the minimum of 1"),
    ("beyond.vit.model", MISSING, "beyond.vit.model is missing; allowed: a network of timm"),
    ("beyond.own.model", "mine:1", "beyond.own.model is 'mine:1'; allowed: module:function"),
    ("beyond.vit.data", MISSING, "beyond.vit.data is missing; allowed: mnist, cifar10, imagenet"),
    ("beyond.vit.data", "images", "beyond.vit.data is 'images'; allowed: mnist, cifar10, imagenet"),
    ("beyond.vit.options", {"a-b": 1}, "beyond.vit.options is 'a-b' among others"),
    ("beyond.vit.options", {"a": [float("nan")]}, "beyond.vit.options.a.0: nan is not of type"),
    ("beyond.vit.options", {"a": {1: 2}}, "beyond.vit.options.a: 1 is not of type 'string'"),
    ("beyond.vit.options", {"pretrained": True}, "beyond.vit.options is 'pretrained' among others"),
    ("beyond.parts.of", "vitt", "beyond.parts.of is 'vitt', which is no trained entry; allowed:"),
    ("beyond.parts.of", "given", "beyond.parts.of is 'given', which is no trained entry"),
    ("beyond.parts.of", "beyond/vitt", "beyond.parts.of is 'beyond/vitt', which is no trained"),
    ("beyond.parts.of", "cifar10/vgg17", "beyond.parts.of: 'cifar10/vgg17': architecture"),
    ("beyond.parts.data", "mnist", "beyond.parts.data is 'mnist' beside of"),
    ("beyond.given.weights", "no.pt", "beyond.given.weights is 'no.pt', and no such file"),
    ("beyond.given.weights", "pretrained", "beyond.given.weights is pretrained for mine:build"),
    ("beyond.given.data", "cifar10", "beyond.given.data is 'cifar10', and no such folder"),
    ("beyond.given.sources", ["reinit"], "beyond.given.sources is 'reinit' among others"),
    ("beyond.vit.sources", ["shufle"], "beyond.vit.sources is 'shufle' among others; allowed: rei"),
    ("beyond.vit.sources", ["interpolate:2"], "beyond.vit.sources: source 'interpolate:2'"),
    ("beyond.vit.sources", ["epoch2"], "allowed: reinit for epoch 0, epoch1, epoch3"),
    ("beyond.a/b", {"of": "vit"}, "beyond.a/b is no name of a file; allowed: letters"),
    ("beyond.vit.images", {"mean": [0.5]}, "beyond.vit.images is given; allowed: none without"),
    ("beyond.given.images", {"class_map": "no.txt"}, "images.class_map is 'no.txt', and no such"),
    ("beyond.given.images", {"std": "0.5"}, "images.std: '0.5' is not of type 'array'"),
    ("training.beyond/given", {"epochs": 3}, "is 'weights.pt', and training has beyond/given"),
    ("training.beyond/*", MISSING, "training has no epochs for beyond/"),
    ("training.beyond/vitt", {}, "'beyond/vitt' matches no network"),
    ("training.beyond/*.width", 2, "training.beyond/*.width is for the pap"),
    ("networks", ["beyond/vitt"], "networks has 'beyond/vitt', which matches"),
]


@pytest.mark.parametrize(("key", "value", "told"), WRONG, ids=[told for *_, told in WRONG])
def test_a_wrong_entry_is_refused_in_one_line(config, key, value, told):
    put(config, key.split("."), value)
    assert told in line_of(check, config, SCHEMA, NETWORKS)

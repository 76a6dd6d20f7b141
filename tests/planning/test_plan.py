"""What is built, and what the figures say that they were built from."""

import pytest

from layer_robustness.experiments.names import parse_network
from layer_robustness.figures.registry import FIGURES
from layer_robustness.planning.config import seeds_of
from layer_robustness.tables.registry import TABLES
from support.plans import plan


@pytest.mark.parametrize("seeds", [1, 2])
@pytest.mark.parametrize("preset", ["config", "paper", "fashion"])
def test_every_experiment_is_trained_by_one_job(preset, seeds):
    of_preset = plan(preset)
    of_preset.config["training"]["*"]["seeds"] = seeds
    trained = [experiment for family in of_preset.families for experiment in family.experiments]
    assert sorted(trained) == sorted(
        network.seed(seed)
        for network in of_preset.networks
        for seed in range(seeds_of(of_preset.config, network))
    )
    for families in (
        of_preset.families,
        of_preset.joint_families,
        of_preset.attacked_families,
    ):
        rules = [family.rule for family in families]
        assert len(set(rules)) == len(rules)


def test_the_quick_preset_trains_all_that_the_paper_did():
    wanted = {n for target in (*FIGURES.values(), *TABLES.values()) for n in target.networks}
    assert set(plan().networks) == wanted
    endings = ("", "+wd", "+bn", "+wd+bn")
    deep = {f"cifar10/resnet{depth}{e}" for depth in (18, 34, 50, 101, 152) for e in endings}
    deep |= {name.replace("cifar10", "imagenet") for name in deep}
    deep |= {f"cifar10/vgg{depth}{e}" for depth in (11, 13, 16, 19) for e in endings}
    assert deep <= set(map(str, wanted))


def test_jobs_are_shared_by_what_the_same_figures_need():
    """No figure trains what only another needs."""
    of_quick = plan()
    for family in of_quick.families:
        needed_by = {
            frozenset(t.name for t in of_quick.targets if experiment.network in t.networks)
            for experiment in family.experiments
        }
        assert len(needed_by) == 1, family.name


def test_large_networks_have_a_job_each():
    for family in plan("paper").families:
        if family.experiments[0].network.kind != "fcn":
            assert family.name == str(family.experiments[0]) and len(family.experiments) == 1


def test_joint_jobs_reset_the_groups_that_figures_show():
    jobs = {f.name: plan().joint_groups(f.experiments[0].network) for f in plan().joint_families}
    assert jobs["cifar10/resnet152"] == ["all_but_first", "every_second"]
    assert jobs["cifar10/resnet50"] == [
        *("all_but_first", "all_but_first_stages_2_3", "every_second")
    ]
    assert set(jobs) == {
        "mnist/fcn5x256",
        *(f"cifar10/resnet{depth}" for depth in (18, 50, 101, 152)),
    }


def test_attacks_have_a_job_for_each_network_of_table2():
    families = plan(experiments=["cifar10/resnet4^2/seed7"]).attacked_families
    assert [family.name for family in families] == [
        *("cifar10/resnet4^2/seed0", "cifar10/resnet4^4/seed0", "cifar10/resnet4^2/seed7")
    ]
    assert families[1].rule == "cifar10_resnet4_4_seed0"
    replaced = [plan().replaced(family.experiments[0].network) for family in families]
    assert replaced == [[0, 1, 2], [0, 1, 2, 4], [0, 1, 2]]
    assert plan().replaced(FIGURES["figure1"].networks[0]) == []


def test_the_small_print_of_table2_says_how_strong_the_attacks_are():
    said = plan("paper").small_print(TABLES["table2"])
    for words in (
        *("cifar10 = cifar10, 100 epochs", "1000 test examples", "eps 8/255", "20 steps of 2/255"),
        *("a random start", "each example", "each step", "over 20 choices", "5 repetitions"),
        "looks more robust than it is",
    ):
        assert words in said
    attacks = plan().config["adversarial"]
    attacks |= {"choice": "batch", "attack_choice": "fixed", "start": "image"}
    said = plan(adversarial=attacks).small_print(TABLES["table2"])
    for words in ("each batch", "a whole attack", "from the image"):
        assert words in said


def test_the_small_print_says_what_was_computed_from_what():
    first = plan().small_print(FIGURES["figure1"])
    for words in ("quick preset", "mnist = digits5k", "30 epochs", "seeds: 5", "rerand: 1"):
        assert words in first
    assert "width" not in first
    both = plan().small_print(FIGURES["figure18"])
    for words in ("cifar10 = digits5k_as_cifar10", "imagenet = digits5k_as_imagenet", "width 1/8"):
        assert words in both
    assert "rerand" not in plan().small_print(TABLES["table3"])


def test_the_small_print_is_silent_about_what_was_not_run():
    assert "imagenet" not in plan("paper").small_print(FIGURES["figure18"])
    assert plan("paper").small_print(FIGURES["figure5"]) == "paper preset"
    assert "ResNet50" in plan().small_print(FIGURES["figure7"])


def test_setups_say_how_networks_are_run():
    names = ("cifar10/vgg16", "mnist/fcn3x256", "imagenet/resnet50")
    networks = [parse_network(name) for name in names]
    run = {"width": 1, "epochs": 100}
    assert plan("paper").setups(networks) == {
        "cifar10/vgg16": {"data": "cifar10", "seeds": 1, **run},
        "mnist/fcn3x256": {"data": "mnist", "seeds": 5, **run},
    }
    assert plan().setups(networks)["imagenet/resnet50"]["data"] == "digits5k_as_imagenet"

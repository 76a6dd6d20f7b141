from dataclasses import replace

import pytest

from layer_robustness.experiments.groups import complement, frozen_units, members
from layer_robustness.experiments.names import parse_experiment, parse_network
from layer_robustness.experiments.sweeps import ALONE, SWEEPS, job_of, networks_of
from layer_robustness.figures.registry import FIGURES
from layer_robustness.runtime.errors import InputError


def test_a_name_is_read_and_printed_back():
    network = parse_network("mnist/fcn3x256")
    assert (network.kind, network.fcn_shape) == ("fcn", (3, 256))
    assert network.units == ("layer1", "layer2", "layer3", "layer4")
    assert parse_network("beyond/vit-2.b").kind == "own"
    for name in ("mnist/fcn3x256/seed3", "beyond/vit-2.b/seed1"):
        assert str(parse_experiment(name)) == name


def test_variant_and_treatment_are_parts_of_the_name():
    network = parse_network("cifar10/resnet50+wd+bn+frozen")
    parts = (network.architecture, network.kind, network.variant, network.treatment)
    assert parts == ("resnet50", "resnet", "wd+bn", "frozen")
    plain = parse_network("imagenet/resnet101+removed")
    assert (plain.variant, plain.treatment) == ("", "removed")
    assert plain.units == ("stage0", *(f"stage{n}.resblk1" for n in range(1, 5)), "final_linear")


def test_frozen_units_are_all_blocks_but_the_first_of_each_stage():
    network = parse_network("cifar10/resnet18+frozen")
    assert frozen_units(network) == tuple(f"stage{stage}.resblk2" for stage in range(1, 5))
    assert frozen_units(parse_network("cifar10/resnet18")) == ()


UNKNOWN = ["mnist", "svhn/fcn3x256", "mnist/fcn3", "mnist/fcn0x5", "mnist/fcn3x256+"]
UNKNOWN += ["mnist/fcn3x256+bn", "cifar10/resnet20", "cifar10/resnet50+bn+wd"]
UNKNOWN += ["cifar10/resnet50+frozen+wd", "cifar10/vgg16+frozen", "beyond/", "beyond/vit+wd"]


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_network_is_refused_with_what_is_allowed(name):
    with pytest.raises(InputError, match="allowed"):
        networks_of(name)


def test_an_experiment_needs_a_seed():
    with pytest.raises(InputError, match="seed"):
        parse_experiment("mnist/fcn3x256")


def test_a_sweep_trains_all_of_its_figure_but_what_other_figures_show_alone():
    for name, networks in SWEEPS.items():
        assert networks_of(name) == networks
        assert {job_of(network) for network in networks} == {name}
    shown = set(FIGURES["figure2"].networks)
    alone = {network for network in shown if str(network) in ALONE}
    assert shown == alone.union(*SWEEPS.values()) and len(alone) == len(ALONE)
    for network in (*alone, parse_network("cifar10/vgg16")):
        assert job_of(network) == str(network)
        assert networks_of(str(network)) == (network,)


def test_a_network_of_a_sweep_is_no_job_of_its_own():
    with pytest.raises(InputError, match="fcn3x32 is part of the sweep mnist/fcn_widths: name the"):
        networks_of("mnist/fcn3x32")


@pytest.mark.parametrize(
    ("group", "inside"),
    [("all_but_first", "23456"), ("two_of_three", "2356"), ("every_second", "246")],
)
def test_joint_groups_are_those_of_figure_8(group, inside):
    network = parse_network("mnist/fcn5x256")
    assert members(network, group) == tuple(f"layer{number}" for number in inside)
    outside = [number for number in "123456" if number not in inside]
    assert complement(network, group) == tuple(f"layer{number}" for number in outside)


def test_the_rate_falls_after_30_60_and_90_epochs(recipe):
    paper = replace(recipe, learning_rate=0.01, milestones=(30, 60, 90), epochs=100)
    rates = {1: 0.01, 30: 0.01, 31: 0.002, 60: 0.002, 61: 0.0004, 90: 0.0004, 91: 8e-5, 100: 8e-5}
    assert {epoch: paper.rate(epoch) for epoch in rates} == pytest.approx(rates)


def test_the_rate_grows_from_step_to_step_while_it_is_warmed_up(recipe):
    warmed = replace(recipe, learning_rate=0.8, warmup=2, milestones=(1,), factor=0.5)
    shares = [(1, 0.25), (1, 1), (2, 0.5), (2, 1), (3, 0.25)]
    assert [warmed.rate(*share) for share in shares] == pytest.approx([0.1, 0.4, 0.3, 0.4, 0.4])

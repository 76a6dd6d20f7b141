"""Targets that a user types are known, or refused in one line: the reason, or the nearest ones."""

import pytest

from layer_robustness.figures.registry import FIGURES
from layer_robustness.planning.targets import check_target
from layer_robustness.runtime.errors import InputError
from support.plans import plan
from support.steps import line_of

RULES = ("paper_figures/all", "figure")
SHOWN = tuple(f"paper_figures/quick/{name}.pdf" for name in FIGURES)
JOB = "results/quick/cifar10"


@pytest.fixture(autouse=True)
def nothing_built(tmp_path, monkeypatch):
    """A file that is there is a target, too."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    "target",
    [
        *("paper_figures/all", "paper_figures/quick/figure4.pdf", "results/data/cifar10.json"),
        *(f"{JOB}/resnet50/joint.csv", f"{JOB}/resnet4^2/adversarial.csv"),
        *(f"{JOB}/fcn_widths/probe.csv", "results/structure/resnet50.json"),
        f"{JOB}/fcn2x32/probe.csv",  # no figure's
        *(f"{JOB}/vgg16/checkpoints", f"{JOB}/resnet50/joint.missed.safetensors"),
        *(f"results/quick/beyond/vit/{file}" for file in ("heatmap.png", "critical.txt")),
        "./paper_figures/quick/figure4.pdf",
    ],
)
def test_what_a_rule_makes_is_a_target(target):
    check_target(target, RULES, SHOWN, plan())


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("paper_figures/fig4.pdf", ["nearest targets are paper_figures/quick/figure4.pdf"]),
        ("all", ["no rule makes all", "README.md"]),
        (f"{JOB}/vgg16/probes.csv", [f"nearest targets are {JOB}/vgg16/probe.csv, {JOB}/vgg1"]),
        (
            "results/quick/beyond/vit/probes.csv",
            ["beyond/vit/probe.csv, results/quick/beyond/vit_"],
        ),
        (f"{JOB}/fcn2x32/joint.missed.safetensors", ["no joint.missed", "resets groups"]),
        ("results/data/cifar.json", ["results/data/cifar10.json"]),
        (f"{JOB}/vgg17/probe.csv", ["architecture 'vgg17' is unknown", "vgg16"]),
        (f"{JOB}/fcn3x16/probe.csv", ["part of the sweep cifar10/fcn_widths"]),
        (f"{JOB}/fcn2x32/joint.csv", ["cifar10/fcn2x32 has no joint.csv", "resets groups"]),
        (f"{JOB}/vgg16/adversarial.csv", ["cifar10/vgg16 has no adversarial.csv", "attacks it"]),
        ("results/quick/imagenet/resnet50/probe.csv", ["no ImageNet path configured"]),
    ],
)
def test_what_no_rule_makes_is_refused_in_one_line(target, words):
    sources = plan().config["datasets"] | {"imagenet": "imagenet"}
    told = line_of(check_target, target, RULES, SHOWN, plan(datasets=sources))
    for word in words:
        assert word in told


def test_recipes_of_what_the_config_did_not_ask_for_are_checked():
    of_quick = plan(networks=["cifar10/vgg*"])
    of_quick.config["training"] |= {
        "cifar10/fcn2x32": {"epochs": 3},
        "cifar10/fcn3x16": {"seeds": 2},
    }
    with pytest.raises(InputError, match="one recipe for all networks of the sweep"):
        check_target(f"{JOB}/fcn_widths/probe.csv", RULES, SHOWN, of_quick)
    with pytest.raises(InputError, match="for cifar10/fcn2x32; allowed: epochs from 0 to 3"):
        check_target(f"{JOB}/fcn2x32/probe.csv", RULES, SHOWN, of_quick)

"""Targets that a user types are known, or refused in one line: the reason, or the nearest ones."""

import pytest

from support.snakemake_runs import complaint, configured, snakemake

RESULTS, SHOWN = "results/tiny", "paper_figures/tiny"
JOB = f"{RESULTS}/cifar10"


def test_what_a_rule_makes_is_a_target(built):
    """Of networks that no figure shows, too."""
    targets = [
        *("paper_figures/all", f"./{SHOWN}/figure4.pdf", "results/data/cifar10.json"),
        *(f"{JOB}/resnet50/joint.csv", f"{JOB}/resnet4^2/adversarial.csv"),
        *(f"{JOB}/fcn_widths/probe.csv", f"{JOB}/fcn2x32/probe.csv"),
        *(f"{JOB}/vgg16/checkpoints", f"{JOB}/resnet50/joint.missed.safetensors"),
        f"{RESULTS}/calibration/cifar10/vgg16/rate0.1/training.csv",
    ]
    ended = snakemake(built, "-n", "--quiet", targets=targets)
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("paper_figures/fig4.pdf", f"the nearest targets are {SHOWN}/figure4.pdf, "),
        (f"{SHOWN}/figure99.pdf", f"the nearest targets are {SHOWN}/figure9.pdf, "),
        ("all", "no rule makes all"),
        ("README.md", "no rule makes README.md"),
        (f"{JOB}/vgg16/probes.csv", f"nearest targets are {JOB}/vgg16/probe.csv, {JOB}/vgg1"),
        (f"{JOB}/vgg16/joints.csv", "nearest targets are"),
        ("results/data/cifar.json", "results/data/cifar10.json"),
        (f"{RESULTS}/beyond/mine/probes.csv", f"targets are {RESULTS}/beyond/mine/probe.csv, "),
        (f"{SHOWN}/networks/mines.pdf", f"nearest targets are {SHOWN}/networks/mine.pdf, "),
        (f"{RESULTS}/beyond/mine/joint.csv", "no rule makes"),
        (f"{RESULTS}/beyond/parts/training.csv", "beyond/parts is not trained"),
        (f"{JOB}/vgg12/probe.csv", "architecture 'vgg12' is unknown"),
        (f"{JOB}/fcn3x16/probe.csv", "part of the sweep cifar10/fcn_widths"),
        (f"{JOB}/fcn2x32/joint.missed.safetensors", "cifar10/fcn2x32 has no joint.csv: no figure"),
        (f"{JOB}/vgg16/adversarial.csv", "cifar10/vgg16 has no adversarial.csv: no table"),
        (f"{RESULTS}/imagenet/resnet50/probe.csv", "no ImageNet path configured"),
        (f"{RESULTS}/beyond/nobody/training.csv", "beyond/nobody is not trained"),
        (f"{RESULTS}/beyond/nobody/probe.csv", "no rule makes"),
        (f"{JOB}/fcn2x64/probe.csv", "for cifar10/fcn2x64; allowed: epochs from 0 to 7"),
        (f"{JOB}/fcn_widths/probe.csv", "one recipe for all networks of the sweep"),
    ],
)
def test_what_no_rule_makes_is_refused_in_one_line(built, tmp_path, target, told):
    """So is a network or a sweep with a wrong recipe that is not asked for."""
    changed = {
        "datasets": {"imagenet": "imagenet"},
        "networks": ["cifar10/vgg*", "cifar10/resnet*", "beyond/*"],
        "beyond": {"mine": {"model": "mine:build", "data": "mnist"}, "parts": {"of": "mine"}},
        "training": {"cifar10/fcn2x64": {"epochs": 7}, "cifar10/fcn3x16": {"seeds": 2}},
    }
    ended = snakemake(built, "-n", config=configured(tmp_path, changed), targets=[target])
    assert told in complaint(ended)
    assert "vgg16/joint.csv" not in ended.stderr  # no figure resets groups of it

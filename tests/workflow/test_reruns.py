"""What an edit, another setting or a newer file makes out of date, and what it does not."""

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from layer_robustness.experiments.names import parse_network
from support.image_folders import write_images
from support.snakemake_runs import (
    BUILT,
    FIGURES,
    SOURCE,
    TABLE,
    TINY,
    configured,
    copy_checkout,
    edit,
    jobs,
    outputs,
    snakemake,
    with_imagenet,
)

FCN3, FCN5 = "mnist/fcn3x256", "mnist/fcn5x256"
VGG, STOCHASTIC = "cifar10/vgg11", ["cifar10/resnet4^2", "cifar10/resnet4^4"]


def results(file: str, *networks: str) -> set[str]:
    return {f"results/tiny/{network}/{file}" for network in networks}


TRAINED = results("checkpoints.json", FCN3, FCN5, VGG, *STOCHASTIC)
PROBED = results("probe.csv", FCN3, VGG) | results("joint.csv", FCN5) | {*FIGURES}
ATTACKED = results("adversarial.csv", *STOCHASTIC) | {TABLE}
MEASURED = PROBED | ATTACKED | results("distances.csv", FCN3)


def out_of_date(folder: Path, *arguments: str, config=TINY) -> set[str]:
    """First outputs of all that would be made again of what was built."""
    return outputs(snakemake(folder, "-n", *arguments, targets=BUILT, config=config))


def trained_anew(folder: Path, job: str) -> set[str]:
    """Experiments of which the last run of a job trained an epoch."""
    log = (folder / f"results/tiny/logs/train/{job}.log").read_text()
    return {line.split()[0] for line in log.splitlines() if " epoch " in line}


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (("figures/bars.py", "planning/plan.py"), set()),
        (("figures/heatmap.py", "attacks/attacks.py"), {*FIGURES} | ATTACKED),
        (("probing/engine.py", "tables/cells.py"), PROBED | {TABLE}),
        (("training/loop.py",), TRAINED | MEASURED),
    ],
)
def test_an_edit_reruns_what_imports_it_and_what_follows(checkout, modules, expected):
    for module in modules:
        edit(checkout / SOURCE / module)
    assert out_of_date(checkout) == expected


def test_another_rate_for_one_network_is_a_reason_to_train_that_one(checkout):
    config = configured(checkout, {"training": {FCN3: {"learning_rate": 0.02}}})
    expected = results("checkpoints.json", FCN3) | results("probe.csv", FCN3)
    expected |= results("distances.csv", FCN3) | {FIGURES[0]}
    assert out_of_date(checkout, config=config) == expected


def test_only_the_new_seed_is_trained(checkout):
    targets = sorted(results("checkpoints.json", FCN3, FCN5))
    config = configured(checkout, {"training": {FCN3: {"seeds": 2}}})
    assert jobs(snakemake(checkout, config=config, targets=targets)) == {"train"}
    assert trained_anew(checkout, FCN3) == {f"{FCN3}/seed1"}


def test_what_changes_no_number_makes_nothing_out_of_date(checkout, tmp_path):
    """Nor do other times of all files."""
    for split in ("train", "val"):
        (tmp_path / "images" / split).mkdir(parents=True)
    settings = {"device": "auto", "gpu": 2, "probe": {"memory_gb": 1}}
    config = configured(checkout, settings | {"imagenet_path": str(tmp_path / "images")})
    for path in (checkout / name for name in ("src", "results", "paper_figures")):
        for file in path.rglob("*.*"):
            file.touch()
    assert out_of_date(checkout, config=config) == set()


def test_a_deleted_file_of_a_figure_is_made_again_alone(checkout):
    png = "paper_figures/tiny/figure8.png"
    (checkout / png).unlink()
    targets = ["paper_figures/tiny/figure1.png", png]
    assert outputs(snakemake(checkout, "-n", targets=targets)) == {FIGURES[1]}


def test_imagenet_is_trained_and_probed_from_its_folder(tmp_path):
    """By two processes, as on two GPUs; what counts is the images, not where they are."""
    checkout = copy_checkout(tmp_path / "checkout")
    images, cache = write_images(tmp_path / "image net"), tmp_path / "cache"
    cache.mkdir()
    target = "results/tiny/imagenet/resnet18/probe.csv"

    def run(images: Path, *arguments: str) -> subprocess.CompletedProcess:
        config = configured(checkout, with_imagenet(images, gpu=2))
        environment = {"SNAKEMAKE_OUTPUT_CACHE": str(cache)}
        options = ("--cache", "train", *arguments)
        return snakemake(
            checkout, *options, config=config, targets=[target], environment=environment
        )

    assert jobs(run(images)) == {"imagenet", "train", "probe"}
    manifest = json.loads((checkout / target).with_name("checkpoints.json").read_text())
    (trained,) = manifest["experiments"].values()
    assert trained["machines"][0]["processes"] == 2
    probe = pd.read_csv(checkout / target)
    assert set(probe["unit"]) == {*parse_network("imagenet/resnet18").units, "fullmodel"}
    assert set(probe["images"]) == {6}
    elsewhere = shutil.copytree(images, tmp_path / "elsewhere", copy_function=shutil.copy)
    assert jobs(run(elsewhere, "-n")) == set()
    assert "obtained from" in run(elsewhere, "-n", "-R", "train").stdout
    file = elsewhere / "train/n01440764/n01440764_3.JPEG"
    file.write_bytes(file.read_bytes() + b"\0")
    again = run(elsewhere, "-n")
    assert jobs(again) == {"imagenet", "train", "probe"} and "obtained from" not in again.stdout
    file.unlink()
    file.symlink_to("/nowhere")
    told = run(elsewhere).stderr.splitlines()[-1]
    assert told.startswith(f"error: {file} cannot be read") and told.endswith("remove it")
    assert not list(checkout.glob(".snakemake/locks/*"))  # it is found before the folder is locked

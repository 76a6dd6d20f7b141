"""Real Snakemake runs: which targets there are, and what is built of them."""

import os
import re
import subprocess

import pandas as pd
import pytest

from layer_robustness.figures.registry import FIGURES
from layer_robustness.tables.registry import TABLES
from support.snakemake_runs import (
    BUILT,
    PROBE_OF_VGG,
    TABLE,
    complaint,
    configured,
    counts,
    outputs,
    planned,
    resources,
    snakemake,
)

SHOWN = "paper_figures/tiny"
RESULTS = "results/tiny"


def test_every_file_of_every_target_is_there(built):
    """Those of the VGG, of no figure, among them."""
    names = {path.name for path in (built / SHOWN).iterdir()}
    figures = {f"figure{n}.{kind}" for n in (1, 8) for kind in ("pdf", "png", "csv", "md")}
    assert names == figures | {f"table2.{kind}" for kind in ("csv", "md", "tex", "html")}
    cells = pd.read_csv(built / SHOWN / "figure1.csv")
    probe = pd.read_csv(built / RESULTS / "mnist/fcn3x256/probe.csv")
    probed = probe.query("unit == 'layer2' and source == '0'")
    drawn = cells.query("figure == '1a' and layer == 'layer2' and checkpoint == '0'")
    assert drawn["value"].item() == probed["error"].item()
    assert set(pd.read_csv(built / PROBE_OF_VGG)["network"]) == {"cifar10/vgg11"}


def test_table2_is_built_from_networks_with_a_caret_in_their_names(built):
    """Rules, files and shells carry the paper's names of them."""
    rows = pd.read_csv(built / RESULTS / "cifar10/resnet4^4/adversarial.csv")
    assert len(rows) == (3 + 3 * 4) * 2 and rows["accuracy"].between(0, 1).all()


def test_a_probe_is_of_the_network_that_was_trained(built):
    folder = built / RESULTS / "mnist/fcn3x256"
    probe = pd.read_csv(folder / "probe.csv").set_index(["unit", "source", "draw"])
    full = probe.loc[("fullmodel", "1", 0)]
    history = pd.read_csv(folder / "training.csv")
    assert full["error"] == pytest.approx(history["test_error"].iloc[-1])
    assert full["agreement"] == 1 and full["images"] == 1000 and full["precision"] == "float32"
    assert len(probe) == 5 * (2 + 2)  # four layers and the whole; two draws and two checkpoints
    joint = pd.read_csv(built / RESULTS / "mnist/fcn5x256/joint.csv")
    assert {"every_second", "not every_second"} < set(joint["unit"])


def test_the_default_target_is_all_figures_and_tables(built):
    everything = outputs(snakemake(built, "-nF", targets=["paper_figures/all"]))
    shown = {f"{name}.pdf" for name in FIGURES} | {f"{name}.csv" for name in TABLES}
    shown |= {"comparison.csv", "comparison_figure4.pdf", "claims.csv", "explorer.html"}
    assert {f"{SHOWN}/{name}" for name in shown} <= everything
    assert outputs(snakemake(built, "-nF", targets=[])) == everything


def test_one_figure_trains_only_what_it_needs(built):
    expected = dict.fromkeys(("data", "train", "probe", "distances", "figure"), 1)
    assert counts(snakemake(built, "-nF", targets=[f"{SHOWN}/figure1.pdf"])) == expected
    assert planned(built, targets=[f"{SHOWN}/comparison_figure8.pdf"]) == {"comparison_figure"}


def test_the_rules_are_the_steps_and_do_not_grow_with_networks(built):
    config = ["--config", "preset=paper"]
    rules = snakemake(built, "--list-rules", targets=[], config=config).stdout.split()
    assert {"train", "probe", "figure", "paper_figures/all"} <= set(rules)
    assert len(rules) <= 25


def test_a_preset_is_chosen_by_its_name(built):
    """Its recipes, and folders of its own."""
    config = ["--config", "preset=paper"]
    ended = snakemake(built, "-np", config=config, targets=[])
    folders = {"/".join(name.split("/")[:2]) for name in outputs(ended)}
    assert folders == {"results/data", "results/paper", "paper_figures/paper"}
    (command,) = re.findall(r"commands\.train cifar10/vgg16 .*", ended.stdout)
    assert "--data results/data/cifar10.safetensors" in command
    assert "--epochs 100 --batch-size 128 --learning-rate 0.01" in command
    assert "--seeds 1" in command and "imagenet/" not in ended.stdout


def test_calibration_is_planned_in_any_folder_and_whatever_the_preset_is_called(built, tmp_path):
    """Manifests are inputs, too: one that was lost or damaged is made again."""
    tiny, own = built / "tests/support/tiny.yaml", tmp_path / "own.yaml"
    own.write_text('preset: data\nnetworks: ["cifar10/vgg16"]')
    given = {"targets": ["calibration"], "config": ["--configfile", str(tiny), str(own)]}
    asked = ("-n", "--directory", str(tmp_path / "else where"))
    for ended in (
        snakemake(tmp_path, "-n", "-s", str(built / "Snakefile"), **given),
        snakemake(built, *asked, **given),
    ):
        assert counts(ended) == {"data": 1, "trial": 5, "calibration": 1}
        (inputs,) = re.findall(r"^rule calibration:\n +input: (.*)", ended.stdout, re.M)
        for file in ("checkpoints.json", "training.csv"):
            assert f"results/data/calibration/cifar10/vgg16/rate0.05/{file}" in inputs


def test_without_cores_the_profile_takes_all_and_without_a_config_quick_is_built(built):
    ended = snakemake(built, config=[], targets=["results/data/digits5k.json"], cores=None)
    assert ended.returncode == 0 and "Nothing to be done" in ended.stderr
    planned = outputs(snakemake(built, "-n", config=[], targets=[]))
    assert "paper_figures/quick/figure1.pdf" in planned


def test_threads_and_resources_of_a_step_can_be_set(built):
    asked = ["--set-threads", "probe=4", "--set-resources", "train:runtime=480"]
    ended = snakemake(built, "-nF", *asked, targets=[PROBE_OF_VGG], cores=8)
    train, probe = (resources(ended, rule) for rule in ("train", "probe"))
    assert (train["threads"], train["runtime"]) == (1, 480)
    assert (probe["threads"], probe["runtime"]) == (4, 15)


def test_a_shell_line_of_a_dry_run_can_be_copied(checkout):
    table = checkout / SHOWN / "table2.csv"
    before = table.read_bytes()
    ended = snakemake(checkout, "-np", "-R", "table", targets=[TABLE])
    (line,) = re.findall(r"^ *Shell command: (.*)$", ended.stdout, re.M)
    table.unlink()
    environment = os.environ | {"PYTHONPATH": "src"}
    subprocess.run(["bash", "-c", line], cwd=checkout, env=environment, check=True)
    assert table.read_bytes() == before


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"device": "tpu"}, "config key device: 'tpu' is not one of ['auto', 'cpu', 'cuda']"),
        ({"colour": "blue"}, "config key colour is unknown"),
    ],
)
def test_wrong_configs_end_in_one_line(built, tmp_path, settings, words):
    ended = snakemake(built, "-F", config=configured(tmp_path, settings), targets=BUILT)
    told = complaint(ended)
    assert told.startswith("error: ") and words in told


def test_an_unknown_preset_ends_in_one_line(built):
    told = complaint(snakemake(built, targets=[], config=["--config", "preset=tomorrow"]))
    assert told.startswith(
        "error: config key preset is 'tomorrow'; allowed: fashion, oneday, paper, quick"
    )

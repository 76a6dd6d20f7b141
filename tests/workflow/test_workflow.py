"""Real Snakemake runs in copies of this checkout: what is built, and what is built again."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import yaml
from snakemake.utils import update_config

from layer_robustness.data import dataset as data
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.models.build import build
from layer_robustness.storage import tensorfile
from layer_robustness.tables import TABLES
from support import snakemake_runs
from support.checkout import files
from support.snakemake_runs import SOURCE, TINY, copy_checkout, edit, jobs, write_imagenet

RESULTS = "results/tiny/mnist/fcn3x256/seed0"
ALL = "paper_figures/all"
# What most tests build: each kind of figure and network, but not the deep ones, which take long.
HEATMAPS = {"figure1", "figure8", "figure11"}
MEASURED = HEATMAPS | {"figure2"}
FIGURES = MEASURED | {"figure7"}
BY_NAME = "cifar10/resnet18/seed0"
BUILT = [*(f"paper_figures/{figure}.pdf" for figure in sorted(FIGURES)), BY_NAME]
FAMILIES = ["mnist_fcn3x256", "mnist_fcn5x256", "mnist_figure2", "cifar10_figure2"]
FAMILIES += ["cifar10_vgg16", "cifar10_vgg16_wd", "cifar10_resnet18"]
TRAIN = {f"train_{family}" for family in FAMILIES}
PROBE = {f"probe_{family}" for family in FAMILIES}
PROBE |= {"joint_mnist_fcn5x256", "joint_cifar10_resnet18"}
DISTANCES = {"distances_mnist_fcn3x256", "distances_cifar10_resnet18"}


snakemake = partial(snakemake_runs.snakemake, targets=BUILT)
planned = partial(snakemake_runs.planned, targets=BUILT)


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> Path:
    """A copy of the checkout in which everything was built."""
    folder = copy_checkout(tmp_path_factory.mktemp("built") / "checkout")
    ran = jobs(snakemake(folder))
    assert ran == {"data", "structure", BY_NAME} | TRAIN | PROBE | DISTANCES | FIGURES
    return folder


@pytest.fixture
def checkout(built, tmp_path) -> Path:
    """A copy of the built checkout, to be spoiled."""
    return Path(shutil.copytree(built, tmp_path / "checkout", copy_function=shutil.copy2))


def test_every_file_of_every_figure_is_there(built):
    names = {path.name for path in (built / "paper_figures").iterdir()} - {"README.md"}
    assert names == {f"{figure}.{kind}" for figure in FIGURES for kind in ("pdf", "png", "csv")}
    cells = pd.read_csv(built / "paper_figures/figure1.csv")
    probed = pd.read_csv(built / RESULTS / "probe.csv").query("unit == 'layer2' and source == '0'")
    drawn = cells.query("figure == '1a' and layer == 'layer2' and checkpoint == '0'")
    assert drawn["value"].item() == probed["error"].item()


def test_the_rows_of_a_probe_agree_with_training_and_with_a_plain_pass(built):
    """Independent of the engine: the history, and networks put together by hand."""
    dataset = data.load(built / "results/data/digits5k.safetensors")
    experiment = parse_experiment("mnist/fcn5x256/seed0")
    folder = built / "results/tiny" / str(experiment)
    states = {n: tensorfile.load(folder / f"checkpoints/epoch{n}.safetensors")[0] for n in "01"}

    def error_and_agreement(units) -> tuple[float, float]:
        network = build(experiment.network, dataset.image_shape, dataset.classes)
        inputs = dataset.normalize(dataset.test_images)
        predictions = []
        for reset in ([], units):
            parts = {
                name: states["0" if name.split(".")[0] in reset else "1"] for name in states["1"]
            }
            network.load_state_dict({name: state[name] for name, state in parts.items()})
            predictions.append(network(inputs).argmax(1))
        wrong = (predictions[1] != dataset.test_labels).double().mean()
        return float(wrong), float((predictions[0] == predictions[1]).double().mean())

    probe = pd.read_csv(folder / "probe.csv").set_index(["unit", "source", "draw"])
    joint = pd.read_csv(folder / "joint.csv").set_index(["unit", "source", "draw"])
    history = pd.read_csv(folder / "training.csv")
    full = probe.loc[("fullmodel", "1", 0)]
    assert full["error"] == pytest.approx(history["test_error"].iloc[-1])
    assert full["agreement"] == 1 and full["images"] == 1000 and full["precision"] == "float32"
    single, group = probe.loc[("layer2", "0", 0)], joint.loc[("every_second", "0", 0)]
    rest = joint.loc[("not every_second", "0", 0)]
    assert tuple(single[["error", "agreement"]]) == error_and_agreement({"layer2"})
    assert tuple(group[["error", "agreement"]]) == error_and_agreement(
        {"layer2", "layer4", "layer6"}
    )
    assert tuple(rest[["error", "agreement"]]) == error_and_agreement(
        {"layer1", "layer3", "layer5"}
    )
    assert len(probe) == 7 * (2 + 2)  # six layers and the whole; two draws and two checkpoints


def test_a_second_run_has_nothing_to_do(built):
    assert "Nothing to be done" in snakemake(built).stderr


def test_the_default_target_is_all_figures_and_tables(built):
    everything = planned(built, "-F", targets=[])
    assert everything == planned(built, "-F", targets=[ALL])
    assert {f"figure{number}" for number in range(1, 19)} | set(TABLES) <= everything
    assert {"comparison", "comparison_figure4", "claims"} <= everything


def test_a_figure_is_compared_with_the_papers_where_its_results_are(checkout):
    """Only its own results, the paper's values and the code count."""
    target = "paper_figures/comparison_figure8.pdf"
    assert jobs(snakemake(checkout, targets=[target])) == {"comparison_figure8"}
    assert (checkout / target).stat().st_size > 10_000
    assert planned(checkout, targets=[target]) == set()
    for path in ("resources/paper/table3.csv", f"{SOURCE}/paper/comparison/pictures.py"):
        before = (checkout / path).read_text()
        edit(checkout / path)
        assert planned(checkout, targets=[target]) == {"comparison_figure8"}
        (checkout / path).write_text(before)
    edit(checkout / SOURCE / "paper/claims/criteria.py")
    assert planned(checkout, targets=[target]) == set()
    assert "train_mnist_fcn5x256" not in planned(checkout, targets=["claims"])


def test_one_figure_trains_only_what_it_needs(built):
    steps = {f"{step}_mnist_fcn3x256" for step in ("train", "probe", "distances")}
    assert planned(built, "-F", targets=["paper_figures/figure1.pdf"]) == {
        *("data", "figure1"),
        *steps,
    }


def test_any_experiment_can_be_asked_for_by_its_name(built):
    """Also one that no figure needs, and at another scale."""
    name = "cifar10/resnet34+wd+bn+frozen/seed7"
    config = [*TINY, "--config", f"experiments=[{name}]"]
    steps = {f"{step}_{name}".replace("/", "_").replace("+", "_") for step in ("train", "probe")}
    steps |= {step.replace("train", "distances") for step in steps if "train" in step}
    assert planned(built, targets=[name], config=config) == {name} | steps
    assert planned(built, targets=[BY_NAME]) == set()


def test_networks_get_jobs_of_their_own_where_they_are_large(built):
    config = [*TINY, "--config", "convolutional_jobs=separate"]
    separate = planned(built, "-F", config=config)
    assert {f"train_{name}_seed0" for name in ("cifar10_vgg16", "cifar10_resnet18")} <= separate
    assert not any(job.startswith("train") for job in planned(built, config=config))


def test_what_has_no_source_is_marked_and_the_rest_is_built(checkout):
    """The paper preset without a path to ImageNet."""
    edit = {"datasets": {"imagenet": "imagenet"}, "training": {"imagenet/resnet*": {}}}
    edit["training"]["imagenet/resnet*"]["augmentation"] = "resized_crop_flip"
    (checkout / "no_imagenet.yaml").write_text(yaml.safe_dump(edit))
    config = [*TINY, "no_imagenet.yaml"]
    ran = jobs(snakemake(checkout, config=config, targets=["paper_figures/figure13.pdf"]))
    assert ran == {"figure13"}
    assert len(pd.read_csv(checkout / "paper_figures/figure13.csv")) == 0
    assert not any("imagenet" in job for job in planned(checkout, config=config, targets=[ALL]))


def test_table2_is_built_from_networks_with_a_caret_in_their_names(checkout):
    """Rules, files and shells carry the paper's names of them."""
    target = ["paper_figures/table2.csv"]
    attacks = {f"adversarial_cifar10_resnet4_{stages}_seed0" for stages in (2, 4)}
    ran = jobs(snakemake(checkout, targets=target))
    assert ran == {"train_cifar10_table2", "table2"} | attacks
    rows = pd.read_csv(checkout / "results/tiny/cifar10/resnet4^4/seed0/adversarial.csv")
    assert len(rows) == (3 + 3 * 4) * 2 and rows["accuracy"].between(0, 1).all()
    assert planned(checkout, targets=target) == set()
    edit(checkout / SOURCE / "attacks/attacks.py")
    assert planned(checkout, targets=target) == {"table2"} | attacks
    name = "cifar10/resnet4^2/seed0"
    measured = {"probe_cifar10_table2", "distances_cifar10_table2"}
    assert planned(checkout, targets=[name]) == {name, min(attacks)} | measured
    separate = [*TINY, "--config", "convolutional_jobs=separate"]
    trained = {"train_cifar10_resnet4_2_seed0", "train_cifar10_resnet4_4_seed0"}
    assert trained <= planned(checkout, "-F", targets=target, config=separate)


def test_kept_results_are_redrawn_as_they_were(built, tmp_path):
    """From small files alone: no weights, no Snakemake, no GPU."""
    config = yaml.safe_load((built / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load((built / "tests/support/tiny.yaml").read_text()))
    kept = tmp_path / "kept"
    for network in ("fcn3x256", "fcn5x256"):
        folder = kept / "mnist" / network / "seed0"
        folder.mkdir(parents=True)
        for path in (built / "results/tiny/mnist" / network / "seed0").glob("*.csv"):
            shutil.copy(path, folder)
    command = [sys.executable, "-m", "layer_robustness.commands.redraw"]
    command += [str(kept), "--output", str(tmp_path / "figures")]
    environment = os.environ | {"PYTHONPATH": str(built / "src")}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert "config.yaml cannot be read" in ended.stderr and ended.stderr.count("\n") == 1
    (kept / "config.yaml").write_text(yaml.safe_dump(config))
    subprocess.run(command, env=environment, check=True)
    for name in ("figure1", "figure8"):
        for suffix in ("csv", "pdf"):
            redrawn = (tmp_path / "figures" / f"{name}.{suffix}").read_bytes()
            assert redrawn == (built / "paper_figures" / f"{name}.{suffix}").read_bytes()
    assert {path.stem for path in (tmp_path / "figures").iterdir()} == {"figure1", "figure8"}


def test_imagenet_is_trained_and_probed_from_its_folder(built, tmp_path):
    """By two processes, as on two GPUs; the workflow from the user's JPEGs to rows of numbers."""
    checkout = shutil.copytree(built, tmp_path / "checkout", copy_function=shutil.copy2)
    write_imagenet(tmp_path / "image net")
    edit = {
        "datasets": {"imagenet": "imagenet"},
        "imagenet_path": str(tmp_path / "image net"),
        "gpu": 2,
        "training": {"imagenet/resnet*": {"augmentation": "resized_crop_flip", "batch_size": 8}},
    }
    (checkout / "imagenet.yaml").write_text(yaml.safe_dump(edit))
    name = "imagenet/resnet18/seed0"
    config = [*TINY, "imagenet.yaml"]
    ended = snakemake(checkout, config=config, targets=[name])
    assert {"imagenet", f"train_{name[:-6].replace('/', '_')}"} <= jobs(ended)
    folder = checkout / "results/tiny" / name
    manifest = json.loads((folder / "checkpoints.json").read_text())
    assert manifest["machines"][0]["processes"] == 2
    probe = pd.read_csv(folder / "probe.csv")
    assert set(probe["unit"]) == {*parse_experiment(name).network.units, "fullmodel"}
    assert set(probe["images"]) == {12}
    # Where the images lie is no reason to do anything again.
    (tmp_path / "image net").rename(tmp_path / "moved")
    edit["imagenet_path"] = str(tmp_path / "moved")
    (checkout / "imagenet.yaml").write_text(yaml.safe_dump(edit))
    assert planned(checkout, config=config, targets=[name]) == set()


def test_another_folder_of_images_is_noticed_and_the_same_elsewhere_is_not(tmp_path):
    checkout = copy_checkout(tmp_path / "checkout")
    summary = "results/data/imagenet.json"

    def run(images: Path, *arguments: str) -> subprocess.CompletedProcess:
        """Prepare a folder."""
        edit = {
            "datasets": {"imagenet": "imagenet"},
            "imagenet_path": str(images),
            "training": {"imagenet/resnet*": {"augmentation": "resized_crop_flip"}},
        }
        (checkout / "imagenet.yaml").write_text(yaml.safe_dump(edit))
        config = [*TINY, "imagenet.yaml"]
        return snakemake(checkout, *arguments, config=config, targets=[summary])

    whole = tmp_path / "whole"
    write_imagenet(whole)
    fewer = shutil.copytree(whole, tmp_path / "fewer")
    for split in ("train", "val"):
        shutil.rmtree(fewer / split / "n01484850")
    for images, classes in ((fewer, 2), (whole, 3)):
        assert jobs(run(images)) == {"imagenet"}
        assert json.loads((checkout / summary).read_text())["classes"] == classes
    elsewhere = shutil.copytree(whole, tmp_path / "elsewhere", copy_function=shutil.copy)
    assert jobs(run(elsewhere, "-n")) == set()
    file = elsewhere / "train/n01440764/3.JPEG"
    file.write_bytes(file.read_bytes() + b"\0")
    assert jobs(run(elsewhere, "-n")) == {"imagenet"}
    file.unlink()
    file.symlink_to("/nowhere")
    for _ in range(2):  # it is found before the folder is locked
        told = run(elsewhere).stderr.splitlines()[-1]
        assert told.startswith(f"error: {file} cannot be read") and told.endswith("remove it")


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        ("figures/heatmap.py", HEATMAPS),
        ("figures/bars.py", {"figure2"}),
        ("figures/style.py", FIGURES),
        ("figures/blocks.py", {"figure7"}),
        ("models/structure.py", {"structure", "figure7"}),
        ("probing/engine.py", PROBE | MEASURED | {BY_NAME}),
        ("probing/distances.py", DISTANCES | {"figure1", BY_NAME}),
        ("training/loop.py", TRAIN | PROBE | DISTANCES | MEASURED | {BY_NAME}),
        ("data/sources.py", {"data"} | TRAIN | PROBE | DISTANCES | MEASURED | {BY_NAME}),
        ("planning/plan.py", set()),
    ],
)
def test_an_edit_reruns_what_imports_it_and_what_follows(checkout, module, expected):
    edit(checkout / SOURCE / module)
    assert planned(checkout) == expected


def test_an_edit_of_the_probe_does_not_retrain(checkout):
    """Run for real: the trained files stay as they are."""
    manifest = checkout / RESULTS / "checkpoints.json"
    before = manifest.stat().st_mtime_ns
    edit(checkout / SOURCE / "probing/engine.py")
    assert jobs(snakemake(checkout)) == PROBE | MEASURED | {BY_NAME}
    assert manifest.stat().st_mtime_ns == before
    assert planned(checkout) == set()


def test_touching_files_does_nothing(checkout):
    for name in files():
        if (checkout / name).exists():
            (checkout / name).touch()
    for path in (checkout / "results").rglob("*.*"):
        path.touch()
    assert planned(checkout) == set()


def test_checking_out_another_commit_and_back_does_nothing(checkout):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
        subprocess.run(
            ["git", *identity, *arguments], cwd=checkout, check=True, capture_output=True
        )

    git("init", "-q", "-b", "main")
    git("add", ".")
    git("commit", "-qm", "first")
    git("checkout", "-qb", "other")
    for module in ("training/loop.py", "figures/heatmap.py"):
        edit(checkout / SOURCE / module)
    git("commit", "-qam", "second")
    assert planned(checkout) >= TRAIN
    git("checkout", "-q", "main")
    assert planned(checkout) == set()


def test_a_deleted_figure_is_built_again_alone(checkout):
    (checkout / "paper_figures/figure2.png").unlink()
    assert jobs(snakemake(checkout, targets=["paper_figures/figure2.png"])) == {"figure2"}
    assert (checkout / "paper_figures/figure2.png").exists()


def test_another_rate_for_one_network_retrains_that_one(checkout):
    """Figure 2's small networks share a job; all but the changed one are taken over."""
    config = yaml.safe_load((checkout / "tests/support/tiny.yaml").read_text())
    config["training"]["mnist/fcn3x64"] = {"learning_rate": 0.02}
    (checkout / "tests/support/tiny.yaml").write_text(yaml.safe_dump(config))
    ran = jobs(snakemake(checkout))
    assert ran == {"train_mnist_figure2", "probe_mnist_figure2", "figure2"}
    log = (checkout / "results/tiny/logs/train/mnist/figure2.log").read_text()
    trained = {line.split()[0] for line in log.splitlines() if " epoch " in line}
    assert trained == {"mnist/fcn3x64/seed0"}
    manifest = json.loads(
        (checkout / "results/tiny/mnist/fcn3x64/seed0/checkpoints.json").read_text()
    )
    assert manifest["recipe"]["learning_rate"] == 0.02


def test_a_network_that_diverges_is_shown_as_such_and_spoils_nothing_else(checkout):
    config = yaml.safe_load((checkout / "tests/support/tiny.yaml").read_text())
    config["training"]["cifar10/vgg16+wd"] = {"learning_rate": 1000, "weight_decay": 1}
    (checkout / "tests/support/tiny.yaml").write_text(yaml.safe_dump(config))
    before = pd.read_csv(checkout / "paper_figures/figure11.csv").query("figure == '11a'")
    ran = jobs(snakemake(checkout))
    assert ran == {"train_cifar10_vgg16_wd", "probe_cifar10_vgg16_wd", "figure11"}
    after = pd.read_csv(checkout / "paper_figures/figure11.csv")
    assert after.query("figure == '11a'").equals(before)
    diverged = after.query("figure == '11b'")
    assert diverged["value"].isna().all() and set(diverged["did_not_train"]) == {1}
    history = pd.read_csv(checkout / "results/tiny/cifar10/vgg16+wd/seed0/training.csv")
    assert history["test_error"].isna().tolist() == [True]


def test_another_device_or_core_count_does_not_retrain(checkout):
    config = yaml.safe_load((checkout / "tests/support/tiny.yaml").read_text())
    (checkout / "tests/support/tiny.yaml").write_text(yaml.safe_dump(config | {"device": "auto"}))
    assert planned(checkout, "--cores", "7") == set()


def test_a_damaged_checkpoint_fails_with_its_name_and_a_remedy_that_works(checkout):
    path = checkout / RESULTS / "checkpoints" / "epoch1.safetensors"
    path.write_bytes(path.read_bytes()[:-7])
    for name in ("paper_figures/figure1.pdf", f"{RESULTS}/probe.csv"):
        (checkout / name).unlink()
    ended = snakemake(checkout, targets=["paper_figures/figure1.pdf"])
    assert ended.returncode != 0
    assert "epoch1.safetensors cannot be read" in ended.stderr
    assert "Traceback" not in (checkout / "results/tiny/logs/probe/mnist/fcn3x256.log").read_text()
    assert f"delete {RESULTS}/checkpoints/epoch1.safetensors and run again" in ended.stderr
    path.unlink()
    assert snakemake(checkout, targets=["paper_figures/figure1.pdf"]).returncode == 0


def test_a_killed_snakemake_goes_on_after_an_unlock(checkout):
    """Snakemake and its job are killed while a family trains; finished networks are kept."""
    shutil.rmtree(checkout / "results/tiny/mnist")
    command = ["snakemake", *TINY, "--cores", "1", "train_mnist_figure2"]
    with subprocess.Popen(
        command, cwd=checkout, start_new_session=True, stderr=subprocess.DEVNULL
    ) as process:
        while len(list(checkout.glob("results/tiny/mnist/*/seed0/training.csv"))) < 2:
            assert process.poll() is None
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGKILL)
    finished = list(checkout.glob("results/tiny/mnist/*/seed0/training.csv"))
    histories = {path: path.read_text() for path in finished}
    assert snakemake(checkout, "--unlock").returncode == 0
    ended = snakemake(checkout, targets=["train_mnist_figure2"])
    assert ended.returncode == 0, ended.stderr
    assert all(path.read_text() == history for path, history in histories.items())


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"device": "tpu"}, "config key device is 'tpu'; allowed: auto, cpu, cuda"),
        ({"training": {"mnist/fcn*": {"checkpoints": [0, 1, 9]}}}, "[0, 1, 9]"),
        ({"colour": "blue"}, "config key colour is unknown"),
    ],
)
def test_a_wrong_config_ends_in_one_line_before_any_job(built, tmp_path, setting, words):
    (tmp_path / "wrong.yaml").write_text(yaml.safe_dump(setting))
    ended = snakemake(built, "-F", config=[*TINY, str(tmp_path / "wrong.yaml")])
    assert ended.returncode != 0
    told = [line for line in ended.stderr.splitlines() if not line.startswith("Using workflow")]
    told = [line for line in told if not line.startswith("Config file ")]
    assert len(told) == 1 and words in told[0] and told[0].startswith("error: ")

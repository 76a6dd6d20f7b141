"""Prepared data and trained networks that clones share: real runs in several copies."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from layer_robustness.planning.shared_cache import cached_steps

from layer_robustness.runtime.errors import InputError
from support import snakemake_runs
from support.snakemake_runs import SOURCE, TINY, copy_checkout, edit, jobs, write_imagenet

FIGURE = ["paper_figures/figure1.csv"]
TRAIN = ["train_mnist_fcn3x256"]
SEED0 = "results/tiny/mnist/fcn3x256/seed0"
DISTANCES = f"{SEED0}/distances.csv"
PROBE = f"{SEED0}/probe.csv"
DATA = "results/data/digits5k"
SHARED = ("--cache", "data", "train")


def run(folder: Path, *arguments: str, cached=SHARED, **keywords) -> subprocess.CompletedProcess:
    """Run Snakemake in a clone, whose cache lies beside it."""
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(folder.parent / "cache")}
    return snakemake_runs.snakemake(
        folder, *cached, *arguments, environment=environment, **keywords
    )


def made(ended: subprocess.CompletedProcess) -> set[str]:
    """Files that were made, and not fetched, of those that are shared."""
    assert ended.returncode == 0, ended.stderr
    told = (line.partition("Moving output file ")[2] for line in ended.stderr.splitlines())
    return {line.removesuffix(" to cache.") for line in told if line}


def would_fetch(folder: Path, *arguments: str, **keywords) -> bool:
    """Whether a network would come from the cache."""
    ended = run(folder, "-n", "-R", *TRAIN, *arguments, targets=TRAIN, **keywords)
    assert ended.returncode == 0, ended.stderr
    (told,) = (line for line in ended.stdout.splitlines() if f"Output file {SEED0}" in line)
    return "obtained from" in told


def entries(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All that is in a clone's cache, and when it was written."""
    found = (folder.parent / "cache").iterdir()
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in found}


@pytest.fixture(scope="module")
def stored(tmp_path_factory) -> Path:
    """A clone that has put what Figure 1 needs into a cache that was empty."""
    folder = copy_checkout(tmp_path_factory.mktemp("first") / "clone")
    (folder.parent / "cache").mkdir()
    ended = run(folder, targets=FIGURE)
    assert made(ended) == {f"{DATA}.safetensors", f"{DATA}.json", *outputs()}
    return folder


def outputs() -> list[str]:
    """What training one network writes."""
    names = ("checkpoints/epoch0.safetensors", "checkpoints/epoch1.safetensors")
    return [f"{SEED0}/{name}" for name in (*names, "checkpoints.json", "training.csv")]


@pytest.fixture(scope="module")
def fetched(stored) -> Path:
    """Another clone, which has Figure 1 from the same cache."""
    folder = copy_checkout(stored.parent / "other/clone")
    (folder.parent / "cache").symlink_to(stored.parent / "cache")
    assert made(run(folder, targets=FIGURE)) == set()
    return folder


@pytest.fixture
def clones(stored, tmp_path) -> tuple[Path, Path]:
    """Two clones and their cache, to be spoiled: the one that filled it, and one to be begun."""
    shutil.copytree(stored.parent / "cache", tmp_path / "cache")
    first, second = tmp_path / "first", copy_checkout(tmp_path / "second")
    shutil.copytree(stored, first, symlinks=True)
    for path in first.rglob("*"):
        if path.is_symlink():
            target = tmp_path / "cache" / path.readlink().name
            path.unlink()
            path.symlink_to(target)
    return first, second


def test_another_clone_fetches_what_was_trained_and_draws_the_same_figure(stored, fetched):
    for name in [f"{DATA}.safetensors", *outputs()]:
        assert (fetched / name).samefile(stored / name)
    assert (fetched / FIGURE[0]).read_bytes() == (stored / FIGURE[0]).read_bytes()
    assert not (fetched / SEED0 / "resume/state.safetensors").exists()


@pytest.mark.parametrize("cached", [SHARED, ()])
def test_after_that_there_is_nothing_to_do(stored, fetched, cached):
    for folder in (stored, fetched):
        assert "Nothing to be done" in run(folder, targets=FIGURE, cached=cached).stderr


def test_without_the_option_nothing_is_shared(fetched, tmp_path):
    folder = copy_checkout(tmp_path / "clone")
    (tmp_path / "cache").mkdir()
    ended = run(folder, targets=[f"{DATA}.json"], cached=())
    assert jobs(ended) == {"data"} and not entries(folder)
    assert not (folder / f"{DATA}.json").is_symlink()
    assert "eligible for caching" not in ended.stderr


def test_the_key_of_data_has_its_source(clones):
    """Snakemake's key has no wildcards: sources would be taken for each other."""
    sources = ("digits5k", "digits5k_as_cifar10")
    targets = [f"results/data/{source}.json" for source in sources]
    for folder in clones:
        assert run(folder, targets=targets).returncode == 0
        found = [json.loads((folder / target).read_text())["source"] for target in targets]
        assert found == list(sources)
    assert all((clones[0] / target).samefile(clones[1] / target) for target in targets)


@pytest.mark.parametrize("module", ["training/loop.py", "models/fcn.py", "data/sources.py"])
def test_an_edit_of_what_trains_or_prepares_hits_no_entry(fetched, module):
    before = (fetched / SOURCE / module).read_text()
    edit(fetched / SOURCE / module)
    assert not would_fetch(fetched)
    (fetched / SOURCE / module).write_text(before)
    assert would_fetch(fetched)


@pytest.mark.parametrize("module", ["probing/engine.py", "planning/plan.py"])
def test_an_edit_of_anything_else_does_not_matter(fetched, module):
    before = (fetched / SOURCE / module).read_text()
    edit(fetched / SOURCE / module)
    assert would_fetch(fetched)
    (fetched / SOURCE / module).write_text(before)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"training": {"mnist/fcn3x256": {"learning_rate": 0.02}}}, False),
        ({"training": {"mnist/fcn3x256": {"seeds": 2}}}, False),
        ({"precision": "float64"}, False),
        ({"datasets": {"mnist": "mnist"}}, False),
        ({"device": "auto"}, True),
        ({"probe": {"draws": 3}}, True),
    ],
)
def test_another_recipe_or_other_data_hits_no_entry(fetched, tmp_path, setting, expected):
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(setting))
    config = [*TINY, str(tmp_path / "config.yaml")]
    assert would_fetch(fetched, config=config) == expected


def test_training_again_leaves_every_entry_as_it_is(clones):
    """In the clone that stored them, whose resume/ has the same files, and in one with links."""
    before = entries(clones[0])
    assert not made(run(clones[1], targets=TRAIN))
    for folder in clones:
        edit(folder / SOURCE / "training/loop.py")
    edit(clones[1] / SOURCE / "training/loop.py")
    for folder in clones:
        assert made(run(folder, targets=TRAIN)) == set(outputs())
    after = entries(clones[0])
    assert {name: after[name] for name in before} == before
    assert len(after) == len(before) + 2 * len(outputs())


def test_an_entry_that_lacks_a_file_is_trained_again_and_not_written_through(clones, tmp_path):
    """As while another one stores it: links to the files that are there come first."""
    cache = tmp_path / "cache"
    (lacking,) = cache.glob("*_training.csv")
    lacking.unlink()
    before = {path.name: path.stat().st_mtime_ns for path in cache.iterdir()}
    (tmp_path / "held").mkdir()
    for name in before:  # new files may take their places, but these stay as they are
        (tmp_path / "held" / name).hardlink_to(cache / name)
    assert made(run(clones[1], targets=TRAIN)) == set(outputs())
    held = (tmp_path / "held").iterdir()
    assert {path.name: path.stat().st_mtime_ns for path in held} == before
    assert lacking.exists() and "Nothing to be done" in run(clones[0], targets=TRAIN).stderr


def damage(path: Path) -> None:
    """Flip a bit in place, as who may write in the cache can."""
    content = bytearray(path.read_bytes())
    content[-50] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name",
    [
        f"{SEED0}/checkpoints/epoch1.safetensors",
        f"{SEED0}/checkpoints.json",
        f"{DATA}.safetensors",
    ],
)
def test_a_damaged_entry_is_named_and_deleting_it_repairs_it(clones, stored, name):
    """Deleting only the link would fetch the same file again."""
    first, second = clones
    before = (first / name).read_bytes()
    damage(first / name)
    ended = run(second, targets=[PROBE])
    (told,) = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
    assert told.endswith(f"delete {name} and {(second / name).readlink()} and run again")
    (second / name).resolve().unlink()
    (second / name).unlink()
    assert run(second, targets=[PROBE]).returncode == 0
    assert (second / PROBE).read_bytes() == (stored / PROBE).read_bytes()
    assert (first / name).samefile(second / name) and (first / name).read_bytes() == before


def test_an_emptied_cache_is_one_line_and_filled_again(clones):
    """Nothing is trained again where resume/ is."""
    for path in (clones[0].parent / "cache").iterdir():
        path.unlink()
    (told,) = (
        line
        for line in run(clones[0], targets=TRAIN).stderr.splitlines()
        if line.startswith("error: ")
    )
    (command,) = re.findall(r"\((.*)\)", told)
    assert subprocess.run(command.split(), cwd=clones[0]).returncode == 0
    assert set(outputs()) < made(run(clones[0], targets=TRAIN))
    log = (clones[0] / "results/tiny/logs/train/mnist/fcn3x256.log").read_text()
    assert " epoch " not in log
    assert not made(run(clones[1], targets=TRAIN))


def test_two_users_at_once_both_end_well(tmp_path):
    """Both train, and both store the same entry."""
    folders = [copy_checkout(tmp_path / name) for name in ("first", "second")]
    (tmp_path / "cache").mkdir()
    environment = os.environ | {"SNAKEMAKE_OUTPUT_CACHE": str(tmp_path / "cache")}
    command = ["snakemake", *TRAIN, *TINY, "--cores", "1", *SHARED]
    runs = [
        subprocess.Popen(command, cwd=folder, env=environment, stderr=subprocess.DEVNULL)
        for folder in folders
    ]
    assert [started.wait() for started in runs] == [0, 0]
    assert len(entries(folders[0])) == 2 + len(outputs())
    assert all("Nothing to be done" in run(folder, targets=TRAIN).stderr for folder in folders)
    assert not made(run(folders[0], targets=[DISTANCES]))


def test_the_key_of_networks_has_the_images_of_a_folder(tmp_path):
    """Where they lie does not matter; ImageNet's prepared data itself is not shared."""
    folders = [copy_checkout(tmp_path / name) for name in ("first", "same", "less")]
    (tmp_path / "cache").mkdir()
    name = "results/tiny/imagenet/resnet18/seed0/checkpoints.json"
    manifests = []
    for folder in folders:
        images = tmp_path / f"images of {folder.name}"
        write_imagenet(images)
        if folder.name == "less":
            next(images.glob("val/*/3.JPEG")).unlink()
        setting = {
            "datasets": {"imagenet": "imagenet"},
            "imagenet_path": str(images),
            "training": {"imagenet/resnet*": {"augmentation": "resized_crop_flip"}},
        }
        (folder / "imagenet.yaml").write_text(yaml.safe_dump(setting))
        ended = run(folder, config=[*TINY, "imagenet.yaml"], targets=[name])
        assert not (folder / "results/data/imagenet.json").is_symlink()
        assert bool(made(ended)) == (folder.name != "same")
        manifests.append(json.loads((folder / name).read_text())["data"]["sha256"])
    assert manifests[0] == manifests[1] != manifests[2]


def test_a_job_that_is_submitted_shares_too(clones):
    """As a cluster runs it, without the rules that it depends on: its key has their files."""
    job = ["--target-jobs", f"{TRAIN[0]}:", "--allowed-rules", *TRAIN, "--mode", "remote"]
    job += ["--force", "--force-use-threads", "--nolock", "--ignore-incomplete"]
    for folder, expected in zip(clones, (set(outputs()), set()), strict=True):
        assert not made(run(folder, targets=[f"{DATA}.json"]))
        assert made(run(folder, *job, targets=[])) == expected


@pytest.mark.parametrize("asked", [[], ["probe"], ["train", "paper_figures/figure1.pdf"]])
def test_an_option_that_names_no_step_is_refused(asked, tmp_path, monkeypatch):
    monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", str(tmp_path))
    assert cached_steps(["train"]) == ["train"]
    with pytest.raises(InputError, match=r"--cache has .* after it; allowed: data train"):
        cached_steps(asked)


@pytest.mark.parametrize("folder", [None, "", "cache", "/nowhere/cache", __file__])
def test_a_cache_that_cannot_be_used_is_refused(folder, monkeypatch):
    monkeypatch.delenv("SNAKEMAKE_OUTPUT_CACHE", raising=False)
    if folder is not None:
        monkeypatch.setenv("SNAKEMAKE_OUTPUT_CACHE", folder)
    with pytest.raises(InputError, match=f"SNAKEMAKE_OUTPUT_CACHE is {folder!r}; allowed: the abs"):
        cached_steps(["data"])


def test_a_missing_cache_ends_in_one_line_before_any_job(tmp_path):
    folder = copy_checkout(tmp_path / "clone")
    ended = run(folder, targets=FIGURE)
    told = [line for line in ended.stderr.splitlines() if "SNAKEMAKE_OUTPUT_CACHE" in line]
    assert ended.returncode != 0 and len(told) == 1 and told[0].startswith("error: ")
    assert not (folder / "results/data").exists()

"""Prepared data and trained networks that clones share through Snakemake's own cache."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support import snakemake_runs
from support.snakemake_runs import SOURCE, TINY, configured, copy_checkout, edit

NETWORK = "results/tiny/mnist/fcn3x256"
TRAIN = [f"{NETWORK}/checkpoints.json"]
DISTANCES = [f"{NETWORK}/distances.csv"]
DATA = "results/data/digits5k"
OUTPUTS = {f"{NETWORK}/{name}" for name in ("checkpoints.json", "training.csv", "checkpoints")}
WEIGHTS = f"{NETWORK}/checkpoints/fcn3x256/seed0/epoch1.safetensors"


def run(
    folder: Path, *arguments: str, cached=("data", "train"), **keywords
) -> subprocess.CompletedProcess:
    """Run Snakemake in a clone, whose cache lies beside it."""
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(folder.parent / "cache")}
    options = ("--cache", *cached) if cached else ()
    return snakemake_runs.snakemake(
        folder, *options, *arguments, environment=environment, **keywords
    )


def made(ended: subprocess.CompletedProcess) -> set[str]:
    """Outputs that were made, and not fetched, of those that are shared."""
    assert ended.returncode == 0, ended.stderr
    return set(re.findall(r"Moving output file (\S+) to cache", ended.stderr))


def would_fetch(folder: Path, config=TINY) -> bool:
    """Whether a network would come from the cache."""
    ended = run(folder, "-n", "-R", "train", targets=TRAIN, config=config)
    assert ended.returncode == 0, ended.stderr
    told = [line for line in ended.stdout.splitlines() if f"Output file {NETWORK}" in line]
    return any("obtained from" in line for line in told)


@pytest.fixture(scope="module")
def clones(tmp_path_factory) -> tuple[Path, Path]:
    """One that has put a network into an empty cache, and one that has fetched it from there."""
    folder = tmp_path_factory.mktemp("clones")
    first, second = (copy_checkout(folder / name) for name in ("first", "second"))
    (folder / "cache").mkdir()
    data = {f"{DATA}.safetensors", f"{DATA}.json"}
    assert made(run(first, targets=DISTANCES)) == OUTPUTS | data
    assert made(run(second, targets=DISTANCES)) == set()
    return first, second


@pytest.fixture
def spoiled(clones, tmp_path) -> tuple[Path, Path]:
    """Copies of both and of their cache, to be spoiled."""
    for folder in (*clones, clones[0].parent / "cache"):
        shutil.copytree(folder, tmp_path / folder.name, symlinks=True)
    for link in (path for path in tmp_path.rglob("*") if path.is_symlink()):
        target = link.readlink().relative_to(clones[0].parent)
        link.unlink()
        link.symlink_to(tmp_path / target)
    return tmp_path / "first", tmp_path / "second"


def test_another_clone_links_what_was_trained_and_measures_the_same(clones):
    first, second = clones
    for name in (f"{DATA}.safetensors", f"{NETWORK}/training.csv", *TRAIN, WEIGHTS):
        assert (second / name).samefile(first / name)
    assert (second / NETWORK / "checkpoints/fcn3x256").is_symlink()
    assert not (second / NETWORK / "resume/fcn3x256/seed0/state.safetensors").exists()
    assert (second / DISTANCES[0]).read_bytes() == (first / DISTANCES[0]).read_bytes()


@pytest.mark.parametrize("cached", [("data", "train"), ()])
def test_after_that_there_is_nothing_to_do(clones, cached):
    for folder in clones:
        assert "Nothing to be done" in run(folder, targets=DISTANCES, cached=cached).stderr


@pytest.mark.parametrize(
    ("module", "expected"),
    [("training/loop.py", False), ("data/sources.py", False), ("probing/engine.py", True)],
)
def test_the_key_has_the_code_that_trains_and_prepares(clones, module, expected):
    path = clones[1] / SOURCE / module
    before = path.read_text()
    edit(path)
    assert would_fetch(clones[1]) == expected
    path.write_text(before)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"training": {"mnist/fcn3x256": {"learning_rate": 0.02}}}, False),
        ({"training": {"mnist/fcn3x256": {"seeds": 2}}}, False),
        ({"datasets": {"mnist": "mnist"}}, False),
        ({"device": "auto", "probe": {"memory_gb": 1}}, True),
    ],
)
def test_the_key_has_recipe_and_data(clones, settings, expected):
    config = configured(clones[1], settings)
    assert would_fetch(clones[1], config=config) == expected


def test_the_key_of_data_has_its_source_and_that_of_networks_their_name(clones):
    """Snakemake's key has no wildcards: they would be taken for each other."""
    other = "results/data/digits5k_as_cifar10.json"
    assert len(made(run(clones[0], targets=[other]))) == 2
    assert json.loads((clones[0] / other).read_text())["source"] == "digits5k_as_cifar10"
    target = "results/tiny/mnist/fcn5x256/checkpoints.json"
    ended = run(clones[0], "-n", targets=[target])
    assert f"Output file {target} will be written to global" in ended.stdout


def test_training_by_other_code_leaves_every_entry_as_it_is(spoiled):
    """In the clone that stored them, whose resume/ has the same files, and in one with links."""
    cache = spoiled[0].parent / "cache"

    def entries() -> dict[Path, tuple[bytes, int]]:
        files = (path for path in cache.rglob("*") if path.is_file())
        return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in files}

    before = entries()
    for number, folder in enumerate(spoiled):
        edit(folder / SOURCE / "training/loop.py")
        (folder / SOURCE / "training/state.py").open("a").write(f"# {number}\n")
        assert made(run(folder, targets=TRAIN)) == OUTPUTS
    after = entries()
    assert {path: after[path] for path in before} == before
    assert not spoiled[0].joinpath(WEIGHTS).samefile(spoiled[1] / WEIGHTS)


def test_an_entry_that_lacks_a_file_is_trained_again_and_completed(spoiled):
    """As where two users train the same at once: the second one finds a folder in its place."""
    first, second = spoiled
    (lacking,) = (first.parent / "cache").glob("*_training.csv")
    lacking.unlink()
    for expected in (OUTPUTS, set()):
        shutil.rmtree(second / NETWORK)
        assert made(run(second, targets=DISTANCES)) == expected
        assert (second / DISTANCES[0]).read_bytes() == (first / DISTANCES[0]).read_bytes()
    assert lacking.exists() and "Nothing to be done" in run(first, targets=DISTANCES).stderr


@pytest.mark.parametrize("name", [WEIGHTS, f"{DATA}.safetensors"])
def test_a_damaged_entry_is_named_and_deleting_it_repairs_it(spoiled, name):
    """Deleting only the link would fetch the same file again."""
    first, second = spoiled
    target = [f"{NETWORK}/probe.csv"]
    content = bytearray((first / name).read_bytes())
    content[-50] ^= 1
    (first / name).write_bytes(content)  # in place, as who may write in the cache can
    ended = run(second, targets=target)
    (told,) = (line for line in ended.stderr.splitlines() if line.startswith("error: "))
    assert told.startswith(f"error: {name} does not match its own checksum")
    (remedy,) = re.findall(r": delete (\S+ and \S+) and run again$", told)
    subprocess.run(["rm", "-r", *remedy.split(" and ")], cwd=second, check=True)
    assert run(second, targets=target).returncode == 0
    assert (first / name).samefile(second / name)
    assert run(first, targets=target).returncode == 0


def test_an_emptied_cache_is_one_line_and_filled_again(spoiled):
    """Nothing is trained again where resume/ is."""
    for path in (spoiled[0].parent / "cache").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in spoiled:
        (folder / DISTANCES[0]).unlink()
        ended = run(folder, targets=DISTANCES)
        assert ended.returncode == 1 and "Traceback" not in ended.stderr
        assert "checkpoints.json although it existed before" in ended.stderr
        subprocess.run(["find", "results", "-xtype", "l", "-delete"], cwd=folder, check=True)
    assert made(run(spoiled[0], targets=DISTANCES)) > OUTPUTS
    log = (spoiled[0] / "results/tiny/logs/train/mnist/fcn3x256.log").read_text()
    assert " epoch " not in log
    assert not made(run(spoiled[1], targets=DISTANCES))

"""Prepared data and trained networks that clones share through Snakemake's own cache."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from layer_robustness.data import dataset as data
from layer_robustness.experiments.names import parse_experiment
from layer_robustness.runtime.errors import InputError
from layer_robustness.training.trained import TrainedNetwork
from support import snakemake_runs
from support.snakemake_runs import SOURCE, TINY, configured, copy_checkout, edit

NETWORK = "results/tiny/mnist/fcn3x256"
MANIFEST = f"{NETWORK}/checkpoints.json"
DATA = "results/data/digits5k"
OUTPUTS = {f"{NETWORK}/{name}" for name in ("checkpoints.json", "training.csv", "checkpoints")}
WEIGHTS = f"{NETWORK}/checkpoints/fcn3x256/seed0/epoch1.safetensors"


def run(
    folder: Path, *arguments: str, cached=("data", "train"), targets=(MANIFEST,), config=TINY
) -> subprocess.CompletedProcess:
    """Run Snakemake in a clone, whose cache lies beside it."""
    environment = {"SNAKEMAKE_OUTPUT_CACHE": str(folder.parent / "cache")}
    options = ("--cache", *cached) if cached else ()
    return snakemake_runs.snakemake(
        folder, *options, *arguments, targets=targets, config=config, environment=environment
    )


def made(ended: subprocess.CompletedProcess) -> set[str]:
    """Outputs that were made, and not fetched, of those that are shared."""
    assert ended.returncode == 0, ended.stderr
    return set(re.findall(r"Moving output file (\S+) to cache", ended.stderr))


def nothing_to_do(folder: Path, **keywords) -> bool:
    return "Nothing to be done" in run(folder, "-n", **keywords).stdout


@pytest.fixture(scope="module")
def clones(tmp_path_factory) -> tuple[Path, Path]:
    """One that has put a network into an empty cache, and one that has fetched it from there."""
    folder = tmp_path_factory.mktemp("clones")
    first, second = (copy_checkout(folder / name) for name in ("first", "second"))
    (folder / "cache").mkdir()
    assert made(run(first)) == OUTPUTS | {f"{DATA}.safetensors", f"{DATA}.json"}
    assert made(run(second)) == set()
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


def test_another_clone_links_what_was_trained_and_then_has_nothing_to_do(clones):
    """With the cache or without."""
    first, second = clones
    for name in (f"{DATA}.safetensors", f"{NETWORK}/training.csv", MANIFEST, WEIGHTS):
        assert (second / name).samefile(first / name)
    assert (second / NETWORK / "checkpoints/fcn3x256").is_symlink()
    assert not (second / NETWORK / "resume/fcn3x256/seed0/state.safetensors").exists()
    assert nothing_to_do(first, cached=()) and nothing_to_do(second, cached=())
    assert nothing_to_do(second)


@pytest.mark.parametrize(
    ("module", "settings", "expected"),
    [
        ("training/loop.py", {}, False),
        ("data/sources.py", {}, False),
        ("probing/engine.py", {"device": "auto", "probe": {"memory_gb": 1}}, True),
        (None, {"training": {"mnist/fcn3x256": {"learning_rate": 0.02}}}, False),
        (None, {"training": {"mnist/fcn3x256": {"seeds": 2}}}, False),
        (None, {"datasets": {"mnist": "mnist"}}, False),
    ],
)
def test_the_key_has_the_code_the_recipe_and_the_data(spoiled, module, settings, expected):
    clone = spoiled[1]
    config = configured(clone, settings)
    if module:
        edit(clone / SOURCE / module)
    told = run(clone, "-n", "-R", "train", config=config).stdout.splitlines()
    of_network = [line for line in told if f"Output file {NETWORK}" in line]
    assert of_network and any("obtained from" in line for line in of_network) == expected


def test_the_key_of_data_has_its_source_and_that_of_networks_their_name(clones):
    """Snakemake's key has no wildcards: they would be taken for each other."""
    others = f"{DATA}_as_cifar10.safetensors", "results/tiny/mnist/fcn5x256/checkpoints.json"
    told = run(clones[0], "-n", targets=others).stdout
    for name in others:
        assert f"Output file {name} will be written to global" in told


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
        assert made(run(folder)) == OUTPUTS
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
        assert made(run(second)) == expected
        assert (second / WEIGHTS).read_bytes() == (first / WEIGHTS).read_bytes()
    assert lacking.exists() and nothing_to_do(first)


def test_damaged_entries_are_named_and_deleting_them_repairs_them(spoiled, monkeypatch):
    """Deleting only the link would fetch the same file again."""
    first, second = spoiled
    monkeypatch.chdir(second)
    experiment = parse_experiment("mnist/fcn3x256/seed0")
    readers = {
        f"{DATA}.safetensors": data.load,
        WEIGHTS: lambda _: TrainedNetwork.load(Path(MANIFEST), experiment),
    }
    for name, read in readers.items():
        content = bytearray((first / name).read_bytes())
        content[-50] ^= 1
        (first / name).write_bytes(content)  # in place, as who may write in the cache can
        with pytest.raises(InputError, match=f"{name} does not match its own checksum") as raised:
            read(Path(name))
        (remedy,) = re.findall(r": delete (\S+ and \S+) and run again$", str(raised.value))
        subprocess.run(["rm", "-r", *remedy.split(" and ")], check=True)
    assert made(run(second, targets=[f"{NETWORK}/distances.csv"])) > OUTPUTS
    for name, read in readers.items():
        read(Path(name))
        assert (first / name).samefile(name)


def test_an_emptied_cache_is_one_line_and_filled_again(spoiled):
    """Nothing is trained again where resume/ is."""
    for path in (spoiled[0].parent / "cache").iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for folder in spoiled:
        ended = run(folder)
        assert ended.returncode == 1 and "Traceback" not in ended.stderr
        assert "although it existed before" in ended.stderr
        subprocess.run(["find", "results", "-xtype", "l", "-delete"], cwd=folder, check=True)
    assert made(run(spoiled[0])) > OUTPUTS
    log = (spoiled[0] / "results/tiny/logs/train/mnist/fcn3x256.log").read_text()
    assert " epoch " not in log
    assert not made(run(spoiled[1]))

"""No file that is read ever runs code, whoever wrote it.

That no call in the source could do so is what ruff checks (pyproject.toml, S...).
"""

import gzip
import io
import os
import pickle
import shutil
import subprocess
import zipfile
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from layer_robustness.data import sources
from layer_robustness.networks.load import read_state
from layer_robustness.runtime.errors import InputError
from support.checkout import ROOT
from support.image_folders import CLASSES, write_images
from support.steps import Steps, ended

NEVER = "one line; the payload never ran"


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def zip_program(evil: Payload, file: io.BytesIO) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("__main__.py", f"import os; os.mkdir({str(evil.mark)!r})")


LOAD = partial(torch.load, weights_only=False)
# What writes a payload into a file, and what would run it.
PAYLOADS = {
    "pickled": (pickle.dump, pickle.load),
    "saved by torch": (torch.save, LOAD),
    "saved by old torch": (partial(torch.save, _use_new_zipfile_serialization=False), LOAD),
    "saved by numpy": (
        lambda evil, file: np.save(file, np.array([evil], dtype=object)),
        partial(np.load, allow_pickle=True),
    ),
    "gzipped": (
        lambda evil, file: file.write(gzip.compress(pickle.dumps(evil))),
        lambda file: pickle.loads(gzip.decompress(file.read())),
    ),
    "zipped program": (zip_program, lambda file: exec(zipfile.ZipFile(file).read("__main__.py"))),
    "yaml object": (
        lambda evil, file: file.write(f"!!python/object/apply:os.mkdir ['{evil.mark}']".encode()),
        yaml.unsafe_load,
    ),
}


@pytest.fixture
def mark(tmp_path) -> Path:
    """What is there once a payload has run."""
    return tmp_path / "the payload ran"


@pytest.fixture(params=PAYLOADS)
def payload(request, mark) -> bytes:
    """A file that runs where it is read carelessly, as is seen here."""
    write, run = PAYLOADS[request.param]
    file = io.BytesIO()
    write(Payload(mark), file)
    file.seek(0)
    run(file)
    mark.rmdir()
    return file.getvalue()


@pytest.fixture(scope="module")
def done(tmp_path_factory, recipe) -> Steps:
    few = replace(recipe, epochs=1, checkpoints=(0, 1), milestones=(), batch_size=500)
    steps = Steps(tmp_path_factory.mktemp("done"), few)
    steps.all()
    return steps


def test_no_step_runs_what_lies_in_place_of_its_files(done, tmp_path, mark, payload, survived):
    shutil.copytree(done.folder, tmp_path / "steps")
    steps = replace(done, folder=tmp_path / "steps")
    weights = steps.results / "checkpoints/fcn3x256/seed0"
    readers = {
        steps.data: (steps.train, steps.probe),
        weights / "epoch1.safetensors": (steps.probe, steps.distances),
        weights / "rerand0.safetensors": (steps.probe, steps.distances),
        steps.manifest: (steps.probe, steps.distances, steps.figure),
        steps.results / "probe.csv": (steps.figure,),
        steps.results / "distances.csv": (steps.figure,),
    }
    for path, commands in readers.items():
        content = path.read_bytes()
        path.unlink()  # it is also the file in resume/
        path.write_bytes(payload)
        for command in commands:
            assert command().startswith(f"error: {path} "), path
            survived("payload", "data, checkpoints, manifest, rows", NEVER)
        path.write_bytes(content)
    for name in ("state", "epoch1"):
        path = steps.results / f"resume/fcn3x256/seed0/{name}.safetensors"
        path.unlink()
        path.write_bytes(payload)
        assert not steps.train()
        survived("payload", "resume state and checkpoint", "trained again; the payload never ran")
    assert steps.weights() == done.weights()
    assert not mark.exists()


def test_nothing_that_is_compared_or_drawn_runs(done, tmp_path, mark, payload, survived):
    shutil.copytree(ROOT / "resources/paper", tmp_path / "paper")
    output = ("--preset", "made up", "--output", tmp_path / "figures/made.csv")
    results = ("--results", done.results / "probe.csv", done.results / "distances.csv")
    comparison = [
        *("comparison", *results, "--manifests", done.manifest, *output),
        *("--paper", tmp_path / "paper"),
    ]
    for name in ("paper/table3.csv", "paper/SHA256SUMS"):
        path = tmp_path / name
        content = path.read_bytes()
        path.write_bytes(payload)
        assert path.name in ended(*comparison)
        path.write_bytes(content)
        survived("payload", "the paper's values", NEVER)
    assert not mark.exists() and not (tmp_path / "figures").exists()


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_no_weights_of_any_network_run(tmp_path, mark, payload, suffix, survived):
    path = tmp_path / f"weights{suffix}"
    path.write_bytes(payload)
    with pytest.raises(InputError) as raised:
        read_state(path)
    assert str(raised.value).startswith(f"{path} cannot be read (")
    assert "weights_only" not in str(raised.value), "no advice to run it"
    assert str(raised.value).isprintable() and not mark.exists()
    survived("payload", "weights of any network", NEVER)


def test_no_file_of_fashion_mnist_runs(tmp_path, mark, payload, survived):
    """Of Debian's; a download is not read before its checksum matched (test_downloads.py)."""
    for name in sources.FASHION_MD5:
        (tmp_path / f"{name}.gz").write_bytes(payload)
    with pytest.raises(InputError) as raised:
        sources.fashion_mnist(tmp_path)
    assert "\n" not in str(raised.value) and not mark.exists()
    survived("payload", "files of Fashion-MNIST", NEVER)


def test_no_image_runs(tmp_path, mark, payload, survived):
    folder, split = write_images(tmp_path / "images"), "val"
    (folder / split / CLASSES[1] / "payload.JPEG").write_bytes(payload)
    told = ended("data", "imagenet", tmp_path / "imagenet.safetensors", "--images", folder)
    assert "payload.JPEG cannot be read as an image" in told
    assert not mark.exists() and not (tmp_path / "imagenet.safetensors").exists()
    survived("payload", "an image of ImageNet's folder", NEVER)


def test_no_config_runs(tmp_path, mark, survived):
    config = tmp_path / "config.yaml"
    evil = f"!!python/object/apply:os.mkdir ['{mark}']\n"
    for text in (evil, f"device: {evil}"):
        config.write_text(text)
        ended = subprocess.run(
            ["snakemake", "-n", "--configfile", config], cwd=ROOT, capture_output=True, text=True
        )
        told = ended.stdout + ended.stderr
        assert ended.returncode == 1 and "Traceback" not in told
        assert "Config file is not valid JSON or YAML" in told
        survived("payload", "a config file", "Snakemake's error; the payload never ran")
    assert not mark.exists()

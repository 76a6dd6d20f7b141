"""No file that is read ever runs code, whoever wrote it.

That no call in the source could do so is what ruff checks (pyproject.toml, S...). What lies in
place of files between two steps is tested with those that are damaged (test_damaged_files.py).
"""

import subprocess

import pytest

from layer_robustness.data import sources
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.networks.load import read_state
from support.checkout import ROOT
from support.image_folders import CLASSES, write_images
from support.steps import line_of

IMAGE = f"val/{CLASSES[1]}/payload.JPEG"
# Files, and what reads them: of Fashion-MNIST Debian's, as a download is not read before its
# checksum matched (test_downloads.py).
READERS = {
    ("weights.pt",): lambda folder: read_state(folder / "weights.pt"),
    ("weights.safetensors",): lambda folder: read_state(folder / "weights.safetensors"),
    tuple(f"{name}.gz" for name in sources.FASHION_MD5): sources.fashion_mnist,
    (IMAGE,): lambda folder: imagenet(write_images(folder)),
}


@pytest.mark.parametrize("names", READERS, ids=lambda names: names[0])
def test_no_payload_in_a_file_of_others_runs(tmp_path, payloads, names):
    for payload in payloads:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(payload)
        told = line_of(READERS[names], tmp_path)
        assert any(name in told for name in names), told
        assert "weights_only" not in told, "no advice to run it"
        assert told.isprintable()


def test_no_config_runs(tmp_path):
    config, mark = tmp_path / "config.yaml", tmp_path / "the payload ran"
    evil = f"!!python/object/apply:os.mkdir ['{mark}']\n"
    for text in (evil, f"device: {evil}"):
        config.write_text(text)
        ended = subprocess.run(
            ["snakemake", "-n", "--configfile", config], cwd=ROOT, capture_output=True, text=True
        )
        told = ended.stdout + ended.stderr
        assert ended.returncode == 1 and "Traceback" not in told
        assert "Config file is not valid JSON or YAML" in told
    assert not mark.exists()

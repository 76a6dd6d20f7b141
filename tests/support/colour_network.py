"""A network of one's own that names the colour of an image, its weights and images."""

from argparse import Namespace
from pathlib import Path

import torch
from PIL import Image

MODULES = {
    "mine.py": """
def build(*, outputs=3):
    from parts import network
    return network(outputs)
""",
    "parts.py": """
from torch import nn

def network(outputs):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, outputs))
""",
}
COLOURS = ("blue", "green", "red")


def write_own_network(folder: Path) -> None:
    """Write mine.py, and weights that tell colours apart beside initial ones of 0.

    They lie in files as timm's train.py writes them.
    """
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    trained = {"2.weight": torch.eye(3).flip(0), "2.bias": torch.zeros(3)}
    wrapped = {f"module._orig_mod.{key}": tensor for key, tensor in trained.items()}
    arguments = Namespace(model="mine", lr=0.1)
    torch.save({"epoch": 3, "state_dict": wrapped, "args": arguments}, folder / "trained.pt")
    zeros = {key: torch.zeros_like(tensor) for key, tensor in trained.items()}
    torch.save(zeros, folder / "initial.pt")


def write_colours(folder: Path, each: int = 4) -> None:
    """Write images of one colour, a folder for each."""
    for colour in COLOURS:
        (folder / colour).mkdir(parents=True)
        for number in range(each):
            Image.new("RGB", (40 + number, 32), colour).save(folder / colour / f"{number}.png")

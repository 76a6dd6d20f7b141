"""The probe of any network against the usual way of working, from photographs on a disk to errors.

Usual is a loop around a network's evaluation: for each unit, weights are loaded, a new DataLoader
decodes the folder, the network runs over all images in the layout that it was built in, logits are
kept, and the trained weights are loaded again. The probe gets the network and the folder. Weights
are random, and were changed a little as training does.

The photographs are the 20 that come with Foolbox, cropped and mirrored to 500x400, as JPEG.
"""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from apart import apart
from machine import describe
from networks_speed import BATCH, NETWORKS, PIXELS, as_if_trained, build
from PIL import Image
from timm.data.config import resolve_model_data_config
from timm.data.transforms_factory import create_transform
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from layer_robustness.networks.probe import probe_network
from layer_robustness.probing.cut import cut
from layer_robustness.probing.sources import States

CLASSES, VARIANTS = 20, 8  # of each photograph: crops, each mirrored too
SIZE = (500, 400)


def write_photographs(folder: Path) -> None:
    """Write a folder of images for each of the photographs."""
    found = (path for path in (files("foolbox") / "data").iterdir() if "imagenet_" in path.name)
    for number, source in enumerate(sorted(found)):
        (folder / f"{number:02}").mkdir()
        whole = Image.open(source).convert("RGB")
        for variant in range(VARIANTS):
            margin = variant // 2 * 5
            box = (margin, margin, whole.width - margin, whole.height - margin)
            image = whole.crop(box).resize(SIZE)
            if variant % 2:
                image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
            image.save(folder / f"{number:02}" / f"{variant}.jpg", quality=90)


@torch.inference_mode()
def evaluated(network: nn.Module, folder: Path) -> tuple[Tensor, Tensor]:
    """Decode the folder, and return all logits [N, classes] and labels [N]."""
    images = ImageFolder(folder, create_transform(**resolve_model_data_config(network)))
    logits, labels = [], []
    for pixels, expected in DataLoader(images, batch_size=BATCH):
        logits.append(network(pixels))
        labels.append(expected)
    return torch.cat(logits), torch.cat(labels)


def usual(name: str, folder: Path) -> Callable[[], dict[str, float]]:
    network = as_if_trained(name, CLASSES)
    fresh = States(network, fresh=lambda: build(name, CLASSES)).draw(0)

    def work() -> dict[str, float]:
        trained = {name: tensor.clone() for name, tensor in network.state_dict().items()}
        errors = {}
        for unit, names in cut(network, "block").units.items():
            reset = {name: fresh[name] for name in names if name in trained}
            network.load_state_dict(trained | reset)
            logits, labels = evaluated(network, folder)
            errors[unit] = (logits.argmax(1) != labels).double().mean().item()
            network.load_state_dict(trained)
        return errors

    return work


def probe(name: str, folder: Path) -> Callable[[], tuple[dict[str, float], str]]:
    network = as_if_trained(name, CLASSES)

    def work() -> tuple[dict[str, float], str]:
        fresh = {"fresh": lambda: build(name, CLASSES), "sources": ["rerand"]}
        result = probe_network(network, folder, **fresh)
        return result.resets.set_index("unit")["error"].to_dict(), result.layout

    return work


def compare(name: str, folder: Path) -> None:
    """Time both, and print a row of the table."""
    fast, held, (errors, layout) = apart(probe, name, folder)
    slow, held_usually, expected = apart(usual, name, folder)
    images = CLASSES * VARIANTS
    others = [abs(errors[unit] - error) * images for unit, error in expected.items()]
    print(
        f"| {name} | {len(errors)} | {images} | {layout} | {slow:.1f} | {fast:.1f} "
        f"| {slow / fast:.1f}x | {held_usually:.2f} | {held:.2f} "
        f"| {sum(count > 0.5 for count in others)} | {round(sum(others))} |",
        flush=True,
    )


def main() -> None:
    torch.set_num_threads(1)
    print(
        f"\nFrom {CLASSES * VARIANTS} photographs of {SIZE[0]}x{SIZE[1]}, seen by the networks at "
        f"{PIXELS} pixels, {describe()}\n"
    )
    print(
        "| network | units | images | layout | usual, CPU s | probe, CPU s | faster | usual, GB "
        "| probe, GB | units with another error | images more or less wrong in them |"
    )
    print("|---|---:|---:|---|---:|---:|---:|---:|---:|---:|---:|")
    with TemporaryDirectory() as folder:
        write_photographs(Path(folder))
        for name in NETWORKS:
            compare(name, Path(folder))


if __name__ == "__main__":
    main()

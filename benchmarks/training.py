"""Images per second of training FCN 3x256: tensors in memory against a DataLoader.

Both run the same recipe on the same digits with equal threads, in turns; medians are compared.
"""

import statistics
import time
from dataclasses import replace

import torch
from machine import describe
from PIL import Image
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset
from torchvision import transforms

from layer_robustness.data.sources import digits5k
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.models.build import draw
from layer_robustness.runtime import machine
from layer_robustness.training.loop import Training
from layer_robustness.training.state import TrainState

ROUNDS = 5
EXPERIMENT = parse_network("mnist/fcn3x256").seed(0)
RECIPE = Recipe(4, 128, 0.01, (), 0.2, 0.9, 0.0, (0, 4), "uniform_fan_in", 1, "none", "float32")


class Images(TorchDataset):
    """Pixels to PIL image to tensor, one by one, as torchvision's MNIST does."""

    def __init__(self, data):
        self.images = data.train_images[:, 0]
        self.labels = data.train_labels
        normalize = transforms.Normalize([data.mean], [data.std])
        self.transform = transforms.Compose([transforms.ToTensor(), normalize])

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        image = Image.fromarray(self.images[index].numpy())
        return self.transform(image), int(self.labels[index])


def from_loader(loader, network) -> None:
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)
    for _ in range(RECIPE.epochs):
        for images, labels in loader:
            loss = torch.nn.functional.cross_entropy(network(images), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()


def from_memory(data, network) -> None:
    state = TrainState(dict(network.state_dict()))
    Training(EXPERIMENT, state, RECIPE, data, lambda _: None).run()


def compare(data, images, threads: int) -> None:
    torch.set_num_threads(threads)
    ways = {
        "memory": lambda network: from_memory(data, network),
        "DataLoader": lambda network: from_loader(DataLoader(images, 128, shuffle=True), network),
        "DataLoader, 2 workers": lambda network: from_loader(
            DataLoader(images, 128, shuffle=True, num_workers=2), network
        ),
    }
    seconds = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, run in ways.items():
            network = draw(EXPERIMENT, "uniform_fan_in", data.image_shape, 10)
            started = time.perf_counter()
            run(network)
            seconds[way].append(time.perf_counter() - started)
    print(f"\nTraining FCN 3x256, batch 128, {describe()}, median of {ROUNDS} interleaved rounds\n")
    print("| images from | images/s | memory is faster |\n|---|---:|---:|")
    medians = {way: statistics.median(values) for way, values in seconds.items()}
    for way, median in medians.items():
        rate = RECIPE.epochs * len(images) / median
        print(f"| {way} | {rate:,.0f} | {median / medians['memory']:.1f}x |")


def main() -> None:
    data = digits5k()
    # Without an evaluation after each epoch, which the DataLoader's loop does not have.
    data = replace(data, test_images=data.test_images[:1], test_labels=data.test_labels[:1])
    images = Images(data)
    for threads in dict.fromkeys((1, machine.cpus())):
        compare(data, images, threads)


if __name__ == "__main__":
    main()

"""A network that is not the paper's, with all that makes going on hard."""

import torch
from torch import nn


class Scaled(nn.Module):
    """A buffer that checkpoints do not hold, and a parameter that is one number."""

    def __init__(self):
        super().__init__()
        self.register_buffer("factor", torch.tensor(0.5), persistent=False)
        self.gain = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return x * self.factor * self.gain


def build(classes=10, channels=8):
    return nn.Sequential(
        nn.Conv2d(1, channels, 5, stride=4),
        nn.BatchNorm2d(channels),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(36 * channels, classes),
        Scaled(),
    )


def tied():
    """A layer that is called twice, and another with its weights alone."""
    shared, last = nn.Linear(784, 784), nn.Linear(784, 784)
    last.weight = shared.weight
    return nn.Sequential(nn.Flatten(), shared, nn.ReLU(), shared, nn.ReLU(), last)

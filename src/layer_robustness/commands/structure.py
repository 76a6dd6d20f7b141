"""Trace the residual blocks of ResNet50 and write what is inside them."""

import argparse
from pathlib import Path

from layer_robustness.models.resnet import resnet
from layer_robustness.models.structure import residual_blocks
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage import jsonfile

CIFAR10 = ((3, 32, 32), 10)  # image shape and classes


def main() -> None:
    """Write the nodes of every residual block, by unit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="a .json file")
    arguments = parser.parse_args()
    jsonfile.save(arguments.output, residual_blocks(resnet("resnet50", *CIFAR10)))


if __name__ == "__main__":
    exit_with_one_line(main)

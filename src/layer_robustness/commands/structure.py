"""Trace the residual blocks of ResNet50 and write what is inside them."""

import argparse
from pathlib import Path

from layer_robustness.experiments.names import parse_network
from layer_robustness.models.structure import residual_blocks
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage import jsonfile


def main() -> None:
    """Write the nodes of every residual block, by unit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path, help="a .json file")
    arguments = parser.parse_args()
    jsonfile.save(arguments.output, residual_blocks(parse_network("cifar10/resnet50")))


if __name__ == "__main__":
    exit_with_one_line(main)

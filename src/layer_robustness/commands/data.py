"""Fetch a data set and prepare it as one checked file."""

import argparse
import socket
from pathlib import Path

from layer_robustness import data
from layer_robustness.errors import exit_with_one_line
from layer_robustness.sources import SOURCES


def main() -> None:
    """Prepare a source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=SOURCES)
    parser.add_argument("output", type=Path, help="a .safetensors file; a .json goes beside it")
    arguments = parser.parse_args()
    socket.setdefaulttimeout(60)  # a download that stalls is an error, not a wait without end
    data.save(SOURCES[arguments.source](), arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)

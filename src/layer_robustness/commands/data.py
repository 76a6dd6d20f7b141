"""Fetch a data set, or find it in a folder of images, and prepare it as one checked file."""

import argparse
import socket
from pathlib import Path

from layer_robustness.data import dataset as data
from layer_robustness.data.sources import FROM_IMAGES, SOURCES
from layer_robustness.runtime import machine
from layer_robustness.runtime.errors import InputError, exit_with_one_line
from layer_robustness.runtime.memory import bounded_by


@bounded_by()
def main() -> None:
    """Prepare a source."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source", choices=SOURCES)
    parser.add_argument("output", type=Path, help="a .safetensors file; a .json goes beside it")
    parser.add_argument(
        "--images", type=Path, help="for imagenet: the folder that has train/ and val/"
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=machine.cpus(),
        help="processes that decode images; by default one for each CPU that may be used",
    )
    arguments = parser.parse_args()
    images = arguments.source in FROM_IMAGES
    if images != (arguments.images is not None):
        raise InputError(
            f"{arguments.source}: --images is the folder with train/ and val/ for "
            f"{', '.join(FROM_IMAGES)}, and for no other source"
        )
    folder = (arguments.images, arguments.workers) if images else ()
    socket.setdefaulttimeout(60)  # a download that stalls is an error, not a wait without end
    data.save(SOURCES[arguments.source](*folder), arguments.output)


if __name__ == "__main__":
    exit_with_one_line(main)

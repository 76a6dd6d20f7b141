"""The CPU's numbers on a GPU, up to rounding: a real one, or a simulated one where there is none.

The simulated one sees where tensors lie, and cannot go backward. In float64, so that resets which
travel joined predict alike.
"""

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from layer_robustness.attacks import accuracy as adversarial
from layer_robustness.attacks.accuracy import Trial, adversarial_rows
from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.data.sources import halved
from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.probing import engine
from layer_robustness.probing.rows import reset_rows
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import Interrupted
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.runtime.seeding import generator
from layer_robustness.training import loop
from layer_robustness.training.folder import TrainingFolder, train_one
from layer_robustness.training.trained import TrainedNetwork
from support.image_folders import write_images
from support.processes import Stops
from support.simulated_gpu import simulated_gpu
from support.stochastic import SETTINGS, SHAPE, classifier
from support.training import finished, history

DEVICES = (torch.device("cpu"), torch.device("cuda"))
MEMORY = 10**9
ROUNDING = {"rtol": 1e-6, "atol": 1e-8}  # of weights after some steps


REAL = torch.cuda.is_available()
needs_a_real_one = pytest.mark.skipif(not REAL, reason="no GPU")


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(engine, "LARGEST", 64)
    if REAL:
        yield torch.device("cuda")
        return
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a simulated GPU")
    with simulated_gpu() as device:
        yield device


@pytest.fixture
def backward(gpu, monkeypatch) -> None:
    """Let gradients be made up, of the weights, where there is no going backward."""

    def made_up(optimizer) -> None:
        for tensor in optimizer.param_groups[0]["params"]:
            tensor.grad = tensor.detach().clone()

    if not REAL:
        monkeypatch.setattr(torch.optim.SGD, "zero_grad", made_up)
        monkeypatch.setattr(torch.Tensor, "backward", lambda _: None)


@pytest.fixture(scope="module")
def few_digits(few_digits) -> Dataset:
    """Still fewer, as much is simulated: two batches to train on, two micro-batches to test."""
    fewer = {name: getattr(few_digits, name)[::3] for name in ("train_images", "train_labels")}
    fewer |= {name: getattr(few_digits, name)[::2] for name in ("test_images", "test_labels")}
    return replace(few_digits, **fewer)


@pytest.fixture(scope="module")
def deep(deep) -> Recipe:
    return replace(deep, precision="float64")


def alike(rows: list[dict], others: list[dict]) -> bool:
    """Whether rows are the same but for the rounding of numbers."""
    images = [[row.pop("missed", torch.zeros(0)) for row in side] for side in (rows, others)]
    rounded = [
        {k: pytest.approx(v) if isinstance(v, float) else v for k, v in row.items()} for row in rows
    ]
    return others == rounded and all(map(torch.equal, *images))


def test_a_gpu_refuses_to_mix_places(gpu):
    on_gpu, on_cpu = torch.ones(2, 3, device=gpu), torch.ones(2, 3)
    rows = torch.zeros(1, dtype=torch.int64)
    refused = [
        lambda: on_gpu + on_cpu,
        lambda: on_cpu.add_(on_gpu),
        lambda: on_cpu[rows.to(gpu)],
        lambda: on_gpu.index_select(0, rows),
        lambda: torch.nn.Linear(3, 3)(on_gpu),
        lambda: torch.nn.Linear(3, 3).to(gpu)(on_cpu),
        lambda: torch.rand(3, device=gpu, generator=torch.Generator()),
        lambda: on_gpu.numpy(),
    ]
    for mix in refused:
        with pytest.raises((RuntimeError, TypeError)):
            mix()
    assert on_gpu[rows].device.type == (on_gpu * torch.tensor(2.0)).device.type == "cuda"
    assert torch.equal(on_gpu.cpu(), on_cpu) and on_gpu.tolist() == on_cpu.tolist()


@pytest.mark.parametrize(("name", "width"), [("mnist/fcn3x32", 1), ("mnist/resnet18+bn", 0.125)])
def test_resets_are_the_rows_of_the_cpu(tmp_path, few_digits, deep, gpu, name, width):
    """Those that begin at one unit travel joined on a GPU, and one by one on a CPU."""
    network = parse_network(name)
    groups = {"every_second": members(network, "every_second"), "first": network.units[:1]}
    groups |= {"last": network.units[-1:], "fullmodel": network.units}
    training = (network.seed(0), replace(deep, width=width), few_digits)
    rows = [
        list(reset_rows(trained, few_digits.to(device), groups, MEMORY, "joint"))
        for device in DEVICES
        for trained in [finished(tmp_path / "checkpoints.json", *training, draws=2)]
    ]
    assert len(rows[0]) == 4 * 4
    assert alike(*rows)


def uphill(models, pixels, labels):
    """Stand for `mean_gradient`, without a backward pass; it uses all that a gradient does."""
    total = torch.zeros_like(pixels)
    for model in models:
        chances = model(pixels).softmax(1).gather(1, labels[:, None])
        total += chances[:, :, None, None] * (pixels - 0.5)
    return total / len(models)


def test_the_rows_of_attacks_are_the_cpus(tmp_path, few_digits, deep, gpu, monkeypatch):
    monkeypatch.setattr(adversarial, "mean_gradient", uphill)
    images = [halved(part) for part in (few_digits.train_images, few_digits.test_images)]
    labels = few_digits.train_labels, few_digits.test_labels
    small = from_splits("small", *zip(images, labels, strict=True))
    settings = replace(SETTINGS, steps=2, eot_draws=2, eps=64)
    training = (parse_network("mnist/resnet4^2").seed(0), deep, small)
    rows = [
        list(adversarial_rows(trained, small.to(device), 2, [0, 1], settings))
        for device in DEVICES
        for trained in [finished(tmp_path / "checkpoints.json", *training, draws=2)]
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 14


def trained_on(job: Path, name: str, recipe: Recipe, dataset: Dataset) -> TrainedNetwork:
    """Train a network that is stopped once."""
    manifest, experiment = job / "checkpoints.json", parse_network(name).seed(0)
    with patch.object(loop, "asked", Stops(3)), pytest.raises(Interrupted):
        train_one(TrainingFolder(manifest, experiment, recipe, dataset))
    return finished(manifest, experiment, recipe, dataset)


def test_training_is_the_cpus(tmp_path, few_digits, deep, backward):
    name = "mnist/resnet18+wd+bn+frozen"
    recipe = replace(deep, weight_decay=0.01, augmentation="pad_crop_flip")
    here, there = (
        trained_on(tmp_path / device.type, name, recipe, few_digits.to(device))
        for device in DEVICES
    )
    torch.testing.assert_close(dict(there.state("1")), dict(here.state("1")), **ROUNDING)
    assert alike(history(there.path.parent), history(here.path.parent))


def test_image_files_are_trained_and_tested_on_as_on_the_cpu(tmp_path, deep, backward):
    """Test images that go with files stay on the CPU, and are moved as they are used."""
    files = imagenet(write_images(tmp_path / "images"))
    recipe = replace(deep, augmentation="resized_crop_flip", batch_size=4)
    networks, rows, attacked = [], [], []
    for device in DEVICES:
        dataset = files.to(device)
        trained = trained_on(tmp_path / device.type, "imagenet/resnet18+bn", recipe, dataset)
        networks.append(trained)
        rows.append(list(reset_rows(trained, dataset, {"first": ("stage0",)}, MEMORY, "joint")))
        examples = adversarial.examples(trained.experiment.network, dataset, 3)
        attacked.append([part.cpu() for part in examples])
        # Large images, in the layout that is fastest there; see `memory_format`.
        weight = trained.network.get_submodule("stages.1.blocks.0.conv1").weight
        layout = torch.contiguous_format if device.type == "cpu" else torch.channels_last
        assert weight.device.type == device.type and weight.is_contiguous(memory_format=layout)
    torch.testing.assert_close(*(dict(network.state("1")) for network in networks), **ROUNDING)
    torch.testing.assert_close(*attacked)
    assert alike(*(history(network.path.parent) for network in networks)) and alike(*rows)


@needs_a_real_one
def test_memory_that_really_runs_out_is_one_line():
    told = r"the GPU's memory ran out \(tried to allocate .*\): lower training.batch_size$"
    with pytest.raises(InputError, match=told), bounded_by("training.batch_size"):
        torch.empty(2**48, dtype=torch.uint8, device="cuda")


@needs_a_real_one
@pytest.mark.parametrize("attack", ["fgsm", "pgd_eot"])
def test_an_attack_on_a_gpu_sees_the_same_choices_as_on_a_cpu(attack):
    images = torch.rand(24, *SHAPE, generator=generator("images"), dtype=torch.float64)
    labels = torch.arange(24) % 10
    attacked = []
    for device in ("cpu", "cuda"):
        random_one = classifier()
        random_one.network.to(device)
        trial = Trial(random_one, SETTINGS, generator("attack"))
        attacked.append(trial.attacked(attack, images.to(device), labels.to(device)).cpu())
    # Where a gradient is zero up to rounding, its sign may differ.
    assert (attacked[0] - attacked[1]).abs().gt(1e-10).double().mean() < 1e-3

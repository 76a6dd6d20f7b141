"""What needs no backward pass, on a simulated GPU: where tensors lie, and the CPU's numbers.

In float64, so that resets which travel joined predict alike.
"""

from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
import torch
import torch.nn.functional as F

from layer_robustness.attacks import accuracy as adversarial
from layer_robustness.attacks.accuracy import Trial, adversarial_rows
from layer_robustness.attacks.attacks import fgsm, pgd, random_start
from layer_robustness.commands.train import train_alone, train_together
from layer_robustness.data.batches import batches
from layer_robustness.data.dataset import Dataset, from_splits
from layer_robustness.data.imagefolder import imagenet
from layer_robustness.data.standins import halved
from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import Experiment, parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.probing.distances import distances
from layer_robustness.probing.engine import Reset, probe
from layer_robustness.probing.rows import Limits, reset_rows
from layer_robustness.runtime.interruption import Interrupted
from layer_robustness.runtime.ranks import ALONE
from layer_robustness.runtime.seeding import generator
from layer_robustness.training import loop as training
from layer_robustness.training.checkpoints import TrainedNetwork, TrainingFolder
from support.image_folders import write_images
from support.signals import Stops
from support.simulated_gpu import simulated_gpu
from support.stochastic import SETTINGS, SHAPE, classifier
from support.training import history

NETWORKS = ["mnist/fcn3x32", "mnist/vgg11", "mnist/resnet18+bn"]
DEVICES = (torch.device("cpu"), torch.device("cuda"))


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "a simulated GPU")
    with simulated_gpu() as device:
        yield device


@pytest.fixture(scope="module")
def deep(recipe) -> Recipe:
    """For any network."""
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1), milestones=(), learning_rate=0.02)
    return replace(recipe, width=0.125, initial_law="lecun_normal", precision="float64")


def recipe_of(experiment: Experiment, deep: Recipe) -> Recipe:
    return replace(deep, width=1) if experiment.network.kind == "fcn" else deep


@pytest.fixture(scope="module")
def trained(tmp_path_factory, few_digits, deep):
    """Train on the CPU, as there is no backward pass elsewhere; give the network for a device."""
    results = tmp_path_factory.mktemp("results")

    def load(name: str, device: torch.device, dataset: Dataset = few_digits) -> TrainedNetwork:
        experiment = parse_network(name).seed(0)
        folder = results / str(experiment)
        if not folder.exists():
            train_alone(TrainingFolder(folder, experiment, recipe_of(experiment, deep), dataset))
        return TrainedNetwork.load(results, experiment, dataset.to(device))

    return load


def test_the_simulation_refuses_what_a_gpu_refuses(gpu):
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
        with pytest.raises(RuntimeError):
            mix()
    assert on_gpu[rows].device.type == (on_gpu * torch.tensor(2.0)).device.type == "cuda"
    assert torch.equal(on_gpu.cpu(), on_cpu) and on_gpu.tolist() == on_cpu.tolist()


def test_the_simulation_leaves_nothing_behind():
    before = torch.cuda._lazy_init, torch.backends.cudnn.enabled
    with simulated_gpu() as device:
        torch.zeros(1, device=device)
    assert (torch.cuda._lazy_init, torch.backends.cudnn.enabled) == before
    if not torch.cuda.is_available():
        with pytest.raises((RuntimeError, AssertionError)):
            torch.zeros(1, device=device)
    layer = torch.nn.Linear(2, 2)
    weight = layer.weight
    assert layer.double().weight is weight


@pytest.mark.parametrize("joined", [1, 3])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_probe_gives_what_the_cpu_gives(trained, few_digits, gpu, name, joined):
    outcomes = []
    for device in DEVICES:
        network = trained(name, device).network.to(device)
        sources = [trained(name, device).rerand(0), trained(name, device).checkpoint(0)]
        final = network.state_dict()
        moved = [{k: t.to(final[k]) for k, t in source.items()} for source in sources]
        units = network.unit_names
        groups = [*([unit] for unit in units), units[1::2], units]
        resets = [Reset(frozenset(group), state) for group in groups for state in moved]
        images = few_digits.to(device).normalize(few_digits.test_images.to(device), torch.float64)
        outcomes.append(probe(network, resets, images, few_digits.test_labels, 64, joined))
    assert torch.equal(outcomes[0].predictions, outcomes[1].predictions)
    torch.testing.assert_close(outcomes[0].losses, outcomes[1].losses)


@pytest.mark.parametrize("name", NETWORKS)
def test_joint_resets_are_the_rows_of_the_cpu(trained, gpu, name):
    network = parse_network(name)
    groups = {"every_second": members(network, "every_second"), "first": network.units[:1]}
    rows = [
        list(reset_rows(trained(name, device), groups, Limits(2, 64, 10**9), "joint"))
        for device in DEVICES
    ]
    assert len(rows[0]) == 2 * 4
    for on_cpu, on_gpu in zip(*rows, strict=True):
        assert on_gpu == {**on_cpu, "loss": pytest.approx(on_cpu["loss"])}


def test_distances_are_the_cpus(trained, gpu):
    network = trained(NETWORKS[2], gpu)
    states = network.checkpoint(0), network.checkpoint(1)
    moved = [{name: tensor.to(gpu) for name, tensor in state.items()} for state in states]
    for unit in network.network.unit_names:
        assert distances(*moved, unit) == distances(*states, unit)


@pytest.mark.parametrize("choice", ["example", "batch"])
def test_a_stochastic_classifier_classifies_as_on_the_cpu(gpu, choice):
    pixels = torch.rand(24, *SHAPE, generator=generator("images"), dtype=torch.float64)
    images, labels = (255 * pixels).to(torch.uint8), torch.arange(24) % 10
    logits, accuracies = [], []
    for device in DEVICES:
        random_one = classifier()
        for network in random_one.networks:
            network.to(device)
        trial = Trial(random_one, replace(SETTINGS, choice=choice), generator("trial"))
        logits.append(random_one(pixels.to(device), trial.choose(24)).cpu())
        accuracies.append(trial.accuracy("clean", images, labels.to(device)))
    torch.testing.assert_close(*logits)
    assert accuracies[0] == accuracies[1]


def test_an_attack_takes_the_steps_of_the_cpu(gpu):
    """Of a gradient that is known without going back."""
    pixels = torch.rand(8, *SHAPE, generator=generator("images"), dtype=torch.float64)
    ended = []
    for device in DEVICES:
        own = pixels.to(device)
        start = random_start(own, 0.1, generator("start"))
        stepped = pgd(lambda x: x - 0.5, own, start, 0.1, 0.03, 4)
        ended.append(torch.stack([start, stepped, fgsm(lambda x: x - 0.5, own, 0.1)]).cpu())
    assert torch.equal(*ended)


def uphill(models, pixels, labels):
    """Stand for `mean_gradient`, without a backward pass; it uses all that a gradient does."""
    total = torch.zeros_like(pixels)
    for model in models:
        chances = model(pixels).softmax(1).gather(1, labels[:, None])
        total += chances[:, :, None, None] * (pixels - 0.5)
    return total / len(models)


def test_the_rows_of_attacks_are_the_cpus(trained, few_digits, gpu, monkeypatch):
    monkeypatch.setattr(adversarial, "mean_gradient", uphill)
    images = [halved(part) for part in (few_digits.train_images, few_digits.test_images)]
    labels = few_digits.train_labels, few_digits.test_labels
    small = from_splits("small", *zip(images, labels, strict=True))
    settings = replace(SETTINGS, steps=2, eot_draws=2, eps=64)
    rows = [
        list(adversarial_rows(trained("mnist/resnet4^2", device, small), 2, [0, 1], settings))
        for device in DEVICES
    ]
    assert rows[0] == rows[1] and len(rows[0]) == 14


@pytest.mark.parametrize("augmentation", ["none", "pad_crop_flip"])
def test_batches_are_the_cpus(few_digits, deep, gpu, augmentation):
    experiments = [parse_network("mnist/fcn3x32").seed(seed) for seed in range(2)]
    recipe = replace(deep, augmentation=augmentation)
    of_devices = [
        list(batches(few_digits.to(device), experiments, 1, recipe)) for device in DEVICES
    ]
    for (images, labels, size), (on_gpu, labels_there, size_there) in zip(*of_devices, strict=True):
        assert on_gpu.device.type == labels_there.device.type == "cuda"
        assert torch.equal(on_gpu.cpu(), images) and torch.equal(labels_there.cpu(), labels)
        assert size_there == size


def without_backward(monkeypatch) -> None:
    """Let gradients be made up, of the weights: the rest is a real training."""

    def made_up(optimizer) -> None:
        for tensor in optimizer.param_groups[0]["params"]:
            tensor.grad = tensor.detach().clone()

    monkeypatch.setattr(torch.optim.SGD, "zero_grad", made_up)
    monkeypatch.setattr(torch.Tensor, "backward", lambda _: None)


def finished(results: Path, names: list[str], recipe: Recipe, dataset: Dataset) -> tuple:
    """Train networks of one shape together, stopped once; their weights and histories."""
    experiments = [parse_network(name).seed(seed) for seed, name in enumerate(names)]
    recipe = recipe_of(experiments[0], recipe)
    folders = [TrainingFolder(results / str(e), e, recipe, dataset) for e in experiments]
    with patch.object(training, "asked", Stops(3)), pytest.raises(Interrupted):
        train_together(folders, ALONE)
    train_together(folders, ALONE)
    histories = [history(folder.path) for folder in folders]
    trained = [TrainedNetwork.load(results, experiment, dataset) for experiment in experiments]
    return [dict(each.checkpoint(1)) for each in trained], histories


@pytest.mark.parametrize(
    "names",
    [["mnist/fcn3x32"] * 3, ["mnist/fcn3x32"], ["mnist/vgg11"], ["mnist/resnet18+wd+bn+frozen"]],
    ids=" ".join,
)
def test_all_of_training_but_going_back_is_the_cpus(
    tmp_path, few_digits, deep, gpu, monkeypatch, names
):
    without_backward(monkeypatch)
    recipe = replace(deep, weight_decay=0.01, augmentation="pad_crop_flip")
    (weights, histories), (weights_there, histories_there) = (
        finished(tmp_path / device.type, names, recipe, few_digits.to(device)) for device in DEVICES
    )
    torch.testing.assert_close(weights_there, weights)
    assert histories_there == [[pytest.approx(row) for row in rows] for rows in histories]


def test_image_files_are_trained_and_tested_on_as_on_the_cpu(tmp_path, deep, gpu, monkeypatch):
    """Test images that go with files stay on the CPU, and are moved as they are used."""
    without_backward(monkeypatch)
    files = imagenet(write_images(tmp_path / "images"))
    recipe = replace(deep, augmentation="resized_crop_flip", batch_size=4)
    name = "imagenet/resnet18"
    weights, histories, rows, attacked = [], [], [], []
    for device in DEVICES:
        results, dataset = tmp_path / device.type, files.to(device)
        states, told = finished(results, [name], recipe, dataset)
        weights.append(states)
        histories.append(told)
        trained = TrainedNetwork.load(results, parse_network(name).seed(0), dataset)
        groups = {"first": ("stage0",)}
        rows += [list(reset_rows(trained, groups, Limits(1, 4, 10**9), "joint"))]
        attacked.append([part.cpu() for part in adversarial.examples(trained, 3)])
    torch.testing.assert_close(*weights)
    torch.testing.assert_close(*attacked)
    for told in (histories, [rows[:1], rows[1:]]):
        assert told[1] == [[pytest.approx(row) for row in table] for table in told[0]]


def test_large_images_are_computed_on_in_channels_last(trained, few_digits, gpu):
    """The network is built on the CPU, for the device that it computes on."""
    splits = [
        (F.pad(images[::4], (22,) * 4), labels[::4])
        for images, labels in (
            (few_digits.train_images, few_digits.train_labels),
            (few_digits.test_images, few_digits.test_labels),
        )
    ]
    large = from_splits("large", *splits)
    name = "mnist/resnet18+frozen"
    for device, layout in zip(DEVICES, (torch.contiguous_format, torch.channels_last), strict=True):
        network = trained(name, device, large)
        list(reset_rows(network, {"first": ("stage0",)}, Limits(1, 64, 10**9), "probe"))
        weight = network.network.get_submodule("stage2.resblk1.conv1").weight
        assert weight.device.type == device.type and weight.is_contiguous(memory_format=layout)

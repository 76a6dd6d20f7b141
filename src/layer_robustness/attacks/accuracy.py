"""From a trained network to the rows of Table 2: accuracies of its stochastic classifiers."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial

import torch
from torch import Tensor

from layer_robustness.attacks.attacks import Gradient, fgsm, mean_gradient, pgd, random_start
from layer_robustness.attacks.settings import Settings
from layer_robustness.attacks.stochastic import StochasticClassifier
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.names import Network
from layer_robustness.models.build import placed
from layer_robustness.models.units import residual_blocks
from layer_robustness.probing.measurement import Measurement
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.precision import PRECISIONS, arithmetic, computed_in
from layer_robustness.runtime.seeding import generator
from layer_robustness.training.trained import TrainedNetwork

LEVELS = 255  # of pixels; eps and step are given in these


def adversarial_rows(
    trained: TrainedNetwork,
    dataset: Dataset,
    draws: int,
    replaced: Sequence[int],
    settings: Settings,
) -> Iterator[dict]:
    """Yield a row for each classifier, attack and repetition; see `measurement` for those so far.

    configuration, r, s
        baseline is the network itself; stochastic has r `draws` of each residual block, one of
        which replaces a block in each of s stages, for each s of `replaced`.
    attack
        clean, on the whole test set; fgsm, pgd, and pgd_eot with expectation over transformation,
        on `images` test examples, which are the same for all. The baseline, in which nothing is
        random, has no pgd_eot.
    accuracy
        Fraction of the images that are classified correctly, computed in `precision`; NaN for a
        network that diverged. The settings stand in each row.
    """
    precision = trained.manifest.recipe.precision
    where = (dataset.image_shape, dataset.device, PRECISIONS[precision].weights)
    network, *fresh = (
        placed(each, trained.experiment.network, *where)
        for each in (trained.network, *map(trained.fresh, range(draws)))
    )
    blocks = list(residual_blocks(trained.experiment.network).values())
    attacked = examples(trained.experiment.network, dataset, settings.test_examples)
    everything = dataset.test_images, dataset.test_labels

    def accuracy(stages: int, attack: str, repetition: int) -> float:
        if trained.diverged:
            return math.nan
        classifier = StochasticClassifier(network, fresh, blocks, stages, dataset.mean, dataset.std)
        random = generator(trained.experiment, "adversarial", stages, attack, repetition)
        images, labels = everything if attack == "clean" else attacked
        with arithmetic(precision, dataset.device):
            trial = Trial(classifier, settings, random)
            return trial.accuracy(attack, images, labels.to(dataset.device))

    cells = [
        (stages, attack, repetition)
        for stages in replaced
        for attack in ("clean", "fgsm", "pgd", *(["pgd_eot"] if stages else []))
        for repetition in range(settings.repetitions)
    ]
    depends = cells, draws, asdict(settings)
    measurement = Measurement.of(
        trained, "attack", dataset.device, len(cells), "adversarial", *depends
    )
    done, kept = measurement.load()
    accuracies = kept["accuracies"].tolist() if kept else []
    for number, (stages, attack, repetition) in enumerate(cells, 1):
        if number > done:
            accuracies.append(accuracy(stages, attack, repetition))
            measurement.keep(number, {"accuracies": torch.tensor(accuracies, dtype=torch.float64)})
        yield {
            "configuration": "stochastic" if stages else "baseline",
            "r": draws if stages else "",
            "s": stages or "",
            "attack": attack,
            "repetition": repetition,
            "accuracy": accuracies[number - 1],
            "images": len(dataset.test_labels) if attack == "clean" else settings.test_examples,
            "precision": computed_in(precision, dataset.device),
            **asdict(settings),
        }


def examples(network: Network, dataset: Dataset, count: int) -> tuple[Tensor, Tensor]:
    """Draw the test examples that are attacked; the same ones of a data set for all networks."""
    if count > len(dataset.test_labels):
        raise InputError(
            f"adversarial.test_examples is {count}, but {dataset.source} has only "
            f"{len(dataset.test_labels)} test images; allowed: up to {len(dataset.test_labels)}"
        )
    random = generator(network.dataset, "attacked examples")
    drawn = torch.randperm(len(dataset.test_labels), generator=random)[:count]
    images, labels = dataset.test_images, dataset.test_labels
    return images[drawn.to(images.device)], labels[drawn.to(labels.device)]


@dataclass(frozen=True)
class Trial:
    """One repetition of an attack; all of its choices are drawn from `random`."""

    classifier: StochasticClassifier
    settings: Settings
    random: torch.Generator

    def accuracy(self, attack: str, images: Tensor, labels: Tensor) -> float:
        """Classify images uint8 [N, C, H, W] after an attack: the fraction that is right."""
        right = 0
        dtype = next(self.classifier.networks[0].parameters()).dtype
        size = self.settings.batch_size
        for batch, expected in zip(images.split(size), labels.split(size), strict=True):
            leave_if_asked()
            pixels = batch.to(labels.device, dtype) / LEVELS
            pixels = self.attacked(attack, pixels, expected)
            with torch.no_grad():
                logits = self.classifier(pixels, self.choose(len(expected)))
            right += int((logits.argmax(1) == expected).sum())
        return right / len(labels)

    def attacked(self, attack: str, pixels: Tensor, labels: Tensor) -> Tensor:
        """Return what an attack makes of pixels in [0, 1]."""
        if attack == "clean":
            return pixels
        eps, step = self.settings.eps / LEVELS, self.settings.step / LEVELS
        gradient = self.gradient(labels, self.settings.eot_draws if attack == "pgd_eot" else 1)
        if attack == "fgsm":
            return fgsm(gradient, pixels, eps)
        start = pixels
        if self.settings.start == "random":
            start = random_start(pixels, eps, self.random)
        return pgd(gradient, pixels, start, eps, step, self.settings.steps)

    def gradient(self, labels: Tensor, draws: int) -> Gradient:
        """Return the gradient that an attack sees: a mean over so many draws of the choice."""

        def models() -> list:
            choices = (self.choose(len(labels)) for _ in range(draws))
            return [partial(self.classifier, choice=choice) for choice in choices]

        if self.settings.attack_choice == "fixed":
            return partial(mean_gradient, models(), labels=labels)
        return lambda pixels: mean_gradient(models(), pixels, labels)

    def choose(self, count: int) -> Tensor:
        """Draw a choice for each example of a batch, or one for the batch."""
        return self.classifier.choose(1 if self.settings.choice == "batch" else count, self.random)

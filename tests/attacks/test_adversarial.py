"""The rows of Table 2, of a network that is really trained."""

from dataclasses import asdict, replace

import pytest
import torch

from layer_robustness.attacks.accuracy import adversarial_rows, examples
from layer_robustness.data.dataset import Dataset
from layer_robustness.data.sources import halved
from layer_robustness.experiments.names import parse_network
from layer_robustness.runtime.errors import InputError
from layer_robustness.training.trained import TrainedNetwork
from support.stochastic import SETTINGS
from support.training import finished, history

EXPERIMENT = parse_network("mnist/resnet4^2").seed(0)
STRONG = replace(SETTINGS, test_examples=100, eps=16, step=5, steps=4, eot_draws=4)


@pytest.fixture(scope="module")
def small(few_digits) -> Dataset:
    """Digits of 14x14 pixels."""
    train, test = halved(few_digits.train_images), halved(few_digits.test_images)
    return replace(few_digits, train_images=train, test_images=test)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, small, recipe) -> TrainedNetwork:
    """ResNet4^2 of an eighth of its width after some epochs."""
    recipe = replace(
        recipe,
        epochs=16,
        batch_size=16,
        learning_rate=0.005,
        milestones=(14,),
        checkpoints=(0, 16),
        initial_law="lecun_normal",
        width=0.125,
    )
    manifest = tmp_path_factory.mktemp("job") / "checkpoints.json"
    return finished(manifest, EXPERIMENT, recipe, small, draws=4)


@pytest.fixture(scope="module")
def rows(trained, small) -> list[dict]:
    return list(adversarial_rows(trained, small, 4, [0, 1], STRONG))


def accuracies(rows: list[dict], configuration: str, attack: str) -> list[float]:
    return [
        row["accuracy"]
        for row in rows
        if (row["configuration"], row["attack"]) == (configuration, attack)
    ]


def test_there_is_a_row_for_each_classifier_attack_and_repetition(rows):
    attacks = ["clean", "fgsm", "pgd"]
    expected = [("baseline", "", "", attack) for attack in attacks]
    expected += [("stochastic", 4, 1, attack) for attack in [*attacks, "pgd_eot"]]
    found = [(row["configuration"], row["r"], row["s"], row["attack"]) for row in rows]
    assert found == [key for key in expected for _ in range(STRONG.repetitions)]
    assert [row["repetition"] for row in rows] == [0, 1] * 7
    assert all(row["images"] == (200 if row["attack"] == "clean" else 100) for row in rows)
    assert all(row.items() >= {"precision": "float32", **asdict(STRONG)}.items() for row in rows)


def test_the_baseline_falls_under_attack(rows, trained):
    """And without one it is as accurate as training left it."""
    clean = accuracies(rows, "baseline", "clean")
    test_error = history(trained.path.parent)[-1]["test_error"]
    assert clean == [pytest.approx(1 - test_error)] * 2 and clean[0] > 0.7
    fgsm, pgd = (accuracies(rows, "baseline", attack) for attack in ("fgsm", "pgd"))
    assert fgsm[0] == fgsm[1] < clean[0] - 0.2
    assert max(pgd) <= fgsm[0]


def test_the_same_seed_gives_the_same_numbers_and_repetitions_make_other_choices(
    trained, small, rows
):
    """Each row by itself too, whatever else is asked for."""
    again = list(adversarial_rows(trained, small, 4, [1], replace(STRONG, repetitions=1)))
    first = [row for row in rows if row["s"] == 1 and row["repetition"] == 0]
    assert again == [{**row, "repetitions": 1} for row in first]
    pairs = [accuracies(rows, "stochastic", attack) for attack in ("clean", "fgsm", "pgd")]
    assert any(first != second for first, second in pairs)


def test_the_attacked_examples_are_drawn_from_all_classes(small):
    images, labels = examples(EXPERIMENT.network, small, 100)
    assert len(images) == 100 and len(labels.unique()) == 10
    tests = zip(small.test_images, small.test_labels, strict=True)
    pairs = {(image.numpy().tobytes(), int(label)) for image, label in tests}
    drawn = {(image.numpy().tobytes(), int(y)) for image, y in zip(images, labels, strict=True)}
    assert drawn <= pairs and len(drawn) == 100
    assert torch.equal(examples(EXPERIMENT.network, small, 50)[0], images[:50])


def test_more_examples_than_there_are_is_one_clear_error(small):
    with pytest.raises(InputError, match="is 201, but few_digits has only 200 test images"):
        examples(EXPERIMENT.network, small, 201)

"""The stochastic classifier against networks that are put together by hand."""

from collections import Counter
from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import nn

from layer_robustness.attacks.accuracy import Trial
from layer_robustness.attacks.attacks import fgsm, mean_gradient, pgd
from layer_robustness.attacks.stochastic import StochasticClassifier
from layer_robustness.runtime.errors import InputError
from layer_robustness.runtime.seeding import generator
from support.stochastic import MEAN, SETTINGS, SHAPE, STD, classifier


def by_hand(random_one: StochasticClassifier, choice: torch.Tensor) -> nn.Module:
    """The network with its blocks' states replaced, for one row of `choose`."""
    trained, *fresh = (network.state_dict() for network in random_one.networks)
    state = dict(trained)
    for block, chosen in zip(random_one.blocks, choice.tolist(), strict=True):
        if chosen:
            own = [name for name in state if name.startswith(f"{block}.")]
            state |= {name: fresh[chosen - 1][name] for name in own}
    network = deepcopy(random_one.networks[0])
    network.load_state_dict(state)
    return network.eval()


@pytest.fixture(scope="module")
def images():
    random = generator("images")
    pixels = torch.rand(24, *SHAPE, generator=random, dtype=torch.float64)
    return pixels, torch.randint(10, (24,), generator=random)


@pytest.mark.parametrize("name", ["cifar10/resnet4^2", "cifar10/resnet4^4+bn"])
def test_it_is_the_network_put_together_by_hand(name, images):
    random_one, pixels = classifier(name, draws=3, replaced=2), images[0]
    inputs = (pixels - MEAN) / STD
    for_all = random_one.choose(1, generator("one"))
    expected = by_hand(random_one, for_all[0])(inputs)
    torch.testing.assert_close(random_one(pixels, for_all), expected)
    assert not torch.allclose(expected, random_one.networks[0](inputs))
    for_each = random_one.choose(len(pixels), generator("each"))
    assert len(for_each.unique(dim=0)) > len(pixels) / 2
    expected = torch.cat(
        [by_hand(random_one, row)(one) for row, one in zip(for_each, inputs.split(1), strict=True)]
    )
    torch.testing.assert_close(random_one(pixels, for_each), expected)


@pytest.mark.parametrize(("replaced", "choices"), [(1, 2 * 4 * 3), (2, (4 * 3) ** 2)])
def test_every_choice_of_stages_blocks_and_draws_is_equally_likely(replaced, choices):
    """One of 4 blocks and of 3 draws in each of `replaced` stages."""
    random_one, count = classifier("cifar10/resnet4^2", 3, replaced), 60_000
    found = Counter(map(tuple, random_one.choose(count, generator("choices")).tolist()))
    assert len(found) == choices
    assert all(sum(chosen > 0 for chosen in choice) == replaced for choice in found)
    expected = count / choices
    assert all(abs(number - expected) < 5 * expected**0.5 for number in found.values())


def test_stages_of_unequal_length_are_chosen_alike():
    choice = classifier("cifar10/resnet34", draws=1).choose(9000, generator(0))
    of_stage = torch.stack([part.sum() for part in choice.split((3, 4, 6, 3), 1)])
    assert (of_stage - 2250).abs().max() < 5 * 2250**0.5


def test_more_stages_than_there_are_is_one_clear_error():
    with pytest.raises(InputError, match=r"3 stages .* allowed: 0 to 2, as the network has 2"):
        classifier(replaced=3)


def test_expectation_over_transformation_is_the_mean_over_all_choices(images):
    """The average over draws approaches the mean of the gradients of all networks by hand."""
    random_one = classifier("cifar10/resnet4^2+removed")
    choices = random_one.choose(100, generator("choices")).unique(dim=0)
    assert len(choices) == 2 * 2  # one of two blocks, and of two draws
    pixels, labels = images[0][:2], images[1][:2]
    gradients = []
    for choice in choices:
        leaf = pixels.clone().requires_grad_()
        logits = by_hand(random_one, choice)((leaf - MEAN) / STD)
        nn.functional.cross_entropy(logits, labels, reduction="sum").backward()
        gradients.append(leaf.grad)
    gradients = torch.stack(gradients)
    chosen = [lambda x, choice=choice: random_one(x, choice) for choice in choices.split(1)]
    torch.testing.assert_close(mean_gradient(chosen, pixels, labels), gradients.mean(0))
    for choice in ("example", "batch"):
        trial = Trial(random_one, replace(SETTINGS, choice=choice), generator("draws", choice))
        draws = 800
        drawn = trial.gradient(labels, draws)(pixels)
        error = gradients.std(0, correction=0) / draws**0.5
        assert ((drawn - gradients.mean(0)).abs() <= 5 * error + 1e-12).all()


@pytest.mark.parametrize(("attack_choice", "choices"), [("fresh", 3 * 5), ("fixed", 5)])
def test_an_attack_sees_fresh_choices_at_each_step_or_the_same(
    attack_choice, choices, images, monkeypatch
):
    seen, plain = [], StochasticClassifier.__call__

    def recorded(random_one, pixels, choice):
        seen.append(choice)
        return plain(random_one, pixels, choice)

    monkeypatch.setattr(StochasticClassifier, "__call__", recorded)
    settings = replace(SETTINGS, attack_choice=attack_choice)
    Trial(classifier(), settings, generator("attack")).attacked("pgd_eot", *images)
    assert len(seen) == 3 * 5
    assert len(torch.stack(seen).unique(dim=0)) == choices


@pytest.mark.parametrize(("start", "same"), [("image", True), ("random", False)])
def test_an_attack_starts_where_the_settings_say(start, same, images):
    """On a baseline, where nothing else is random; eps and step are 255ths."""
    baseline, (pixels, labels) = classifier(replaced=0), images
    trials = [Trial(baseline, replace(SETTINGS, start=start), generator(seed)) for seed in (0, 1)]
    first, second = (trial.attacked("pgd", pixels, labels) for trial in trials)
    assert torch.equal(first, second) == same

    def gradient(at):
        return mean_gradient([lambda x: baseline.networks[0]((x - MEAN) / STD)], at, labels)

    by_definition = pgd(gradient, pixels, pixels, 8 / 255, 2 / 255, steps=3)
    assert torch.equal(first, by_definition) == same
    one_step = trials[0].attacked("fgsm", pixels, labels)
    assert torch.equal(one_step, fgsm(gradient, pixels, 8 / 255))
    assert trials[0].attacked("clean", pixels, labels) is pixels


def test_what_classifies_does_not_make_the_choice_that_was_attacked(images):
    """The classifier draws anew after the attack, as at each inference."""
    trial = Trial(classifier(), replace(SETTINGS, steps=1, attack_choice="fixed"), generator(0))
    state = generator(0).get_state()
    trial.accuracy("fgsm", (255 * images[0]).to(torch.uint8), images[1])
    again = torch.Generator().set_state(state)
    for _ in range(2):
        trial.classifier.choose(len(images[1]), again)
    assert torch.equal(trial.random.get_state(), again.get_state())

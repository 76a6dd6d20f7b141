"""The rate that the paper used is found from its errors at two epochs."""

import pandas as pd
import pytest

from layer_robustness.paper import calibration
from layer_robustness.runtime.errors import InputError
from support.papers_results import VALUES
from support.plans import plan

NAME = "cifar10/vgg11"


def errors(rate: float, epoch: int) -> float:
    """Made up: a training that is faster the higher its rate."""
    return 0.9 / (1 + rate * 20 * epoch)


def trials(*rates: float) -> pd.DataFrame:
    rows = [
        {"network": NAME, "rate": rate, "seed": 0, "epoch": e, "test_error": errors(rate, e)}
        for rate in rates
        for e in range(1, 11)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_the_rate_behind_published_values_is_found(rate):
    paper = pd.DataFrame({epoch: {NAME: errors(rate, epoch)} for epoch in (1, 10)})
    table = calibration.compare(trials(0.01, 0.02, 0.05, 0.1), paper)
    assert table["rate"][table["best"]].tolist() == [rate]


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_trial_that_diverged_is_as_far_as_can_be_and_never_the_best(epochs):
    """Its last epoch has no error. Before, it was all that the paper says."""
    diverged = trials(0.1).query("epoch <= @epochs")
    diverged.loc[diverged["epoch"] == epochs, "test_error"] = float("nan")
    paper = pd.DataFrame({1: {NAME: errors(0.1, 1)}, 10: {NAME: 0.9}})
    table = calibration.compare(diverged, paper)
    assert table[["distance", "best"]].to_numpy().tolist() == [[1, False]]
    table = calibration.compare(pd.concat([diverged, trials(0.5)]), paper)
    assert table["rate"][table["best"]].tolist() == [0.5]


def test_the_papers_values_are_those_of_its_heatmaps():
    found = calibration.published(VALUES).round(2)
    assert found.loc["cifar10/vgg16", 1] == 0.90
    assert found.loc["cifar10/resnet50", 10] == 0.24
    assert "imagenet/resnet152" in found.index


def test_a_config_that_leaves_no_network_is_refused():
    paper = calibration.published(VALUES)
    runs = plan(networks=["cifar10/vgg1[16]", "mnist/*"]).runs
    assert calibration.trained(paper, runs) == ["cifar10/vgg11", "cifar10/vgg16"]
    with pytest.raises(InputError, match=r"leaves none of the networks .* such as cifar10/vgg11"):
        calibration.trained(paper, plan(networks=["mnist/*"]).runs)

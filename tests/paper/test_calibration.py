"""The rate that the paper used is found from its errors at two epochs."""

import pandas as pd

from layer_robustness.paper import calibration
from support.papers_results import VALUES


def errors(rate: float, epoch: int) -> float:
    """Made up: a training that is faster the higher its rate."""
    return 0.9 / (1 + rate * 20 * epoch)


def trials(network: str, rates) -> pd.DataFrame:
    rows = [
        {"network": network, "rate": rate, "seed": 0, "epoch": e, "test_error": errors(rate, e)}
        for rate in rates
        for e in range(1, 11)
    ]
    return pd.DataFrame(rows)


def test_the_rate_behind_published_values_is_found():
    name = "cifar10/vgg11"
    for rate in (0.01, 0.05, 0.1):
        paper = {name: pd.Series({epoch: errors(rate, epoch) for epoch in (1, 10)})}
        table = calibration.compare(trials(name, (0.01, 0.02, 0.05, 0.1)), paper)
        assert table.set_index("rate")["best"].pipe(lambda best: best[best]).index.tolist() == [
            rate
        ]


def test_a_trial_that_diverged_is_as_far_as_can_be():
    name = "cifar10/vgg11"
    frame = trials(name, (0.1,))
    frame = frame[frame["epoch"] == 1].assign(test_error=float("nan"))
    paper = {name: pd.Series({1: 0.5, 10: 0.2})}
    assert calibration.compare(frame, paper)["distance"].tolist() == [1]


def test_the_papers_values_are_those_of_its_heatmaps():
    found = calibration.published(VALUES)
    assert round(found["cifar10/vgg16"][1], 2) == 0.90
    assert round(found["cifar10/resnet50"][10], 2) == 0.24
    assert "imagenet/resnet152" in found

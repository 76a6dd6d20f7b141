"""The paper's values are those of its files, in one form."""

import pandas as pd
import pytest

from layer_robustness.paper import values as paper
from support.checkout import ROOT

FOLDER = ROOT / "resources/paper"
KEY = [column for column in paper.COLUMNS if column not in ("value", "resolution")]


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    return paper.load(FOLDER)


def one(values: pd.DataFrame, **labels: str) -> pd.Series:
    found = values
    for column, label in labels.items():
        found = found[found[column] == label]
    return found.squeeze()


def test_every_number_of_the_files_is_there_once(values):
    numbers = 5769 + 24 * 3 + 6 * 5 + 7 * 6 + (14 * 4 - 1)  # Table 3 has one blank cell
    assert len(values) == numbers
    assert not values.duplicated(KEY).any()
    assert not values.isna().any(axis=None)
    assert values["value"].between(0, 1).sum() > 5000


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ({"target": "1a", "layer": "layer1", "checkpoint": "0"}, 0.377),
        ({"target": "15f", "layer": "stage2.resblk2", "checkpoint": "1"}, 124.942),
        ({"target": "6b", "layer": "stage0", "checkpoint": "rerand"}, 0.903),
        ({"target": "2b", "architecture": "fcn5x64", "quantity": "full_error_mean"}, 0.46),
        ({"target": "table1", "architecture": "resnet101", "dataset": "imagenet",
          "quantity": "removed_error"}, 0.415),
        ({"target": "table2", "variant": "r4s4", "quantity": "pgd_std"}, 0.0053),
        ({"target": "table2", "architecture": "resnet4^2", "variant": "baseline",
          "quantity": "clean_mean"}, 0.9105),
        ({"target": "table3", "architecture": "vgg13", "quantity": "wd_bn"}, 0.067),
    ],
)  # fmt: skip
def test_values_are_the_papers(values, labels, value):
    assert one(values, **labels)["value"] == pytest.approx(value)


def test_resolutions_are_those_that_the_values_were_read_with(values):
    """Of errors as resources/paper/README.md says; of distances as the values themselves show."""
    by_target = values.groupby("target")["resolution"].unique().map(list)
    assert all(len(found) == 1 for found in by_target)
    resolution = by_target.str[0]
    errors = values[values["quantity"] == "test_error"]["target"].unique()
    assert resolution[errors].between(0.0035, 0.0065).all()
    assert resolution["2a"] == 0.001
    assert resolution[["table1", "table2", "table3"]].tolist() == pytest.approx([1e-4, 1e-4, 1e-3])
    # A 186th of the range of 15f is 0.668, the least gap of two values half of it.
    gaps = values[values["target"] == "15f"]["value"].drop_duplicates().sort_values().diff()
    assert 1 <= resolution["15f"] / gaps.min() <= 3

"""The paper's values are those of its files, in one form."""

import pytest

from layer_robustness.paper.values import COLUMNS
from support.papers_results import VALUES


def test_every_number_of_the_files_is_there_once():
    numbers = 5769 + 24 * 3 + 6 * 5 + 7 * 6 + (14 * 4 - 1)  # Table 3 has one blank cell
    assert len(VALUES) == numbers
    assert not VALUES.duplicated(COLUMNS[:-2]).any()
    assert not VALUES.isna().any(axis=None)
    assert VALUES["value"].between(0, 1).sum() > 5000


@pytest.mark.parametrize(
    ("labels", "value"),
    [
        ("target == '1a' and layer == 'layer1' and checkpoint == '0'", 0.377),
        ("target == '15f' and layer == 'stage2.resblk2' and checkpoint == '1'", 124.942),
        ("target == '6b' and layer == 'stage0' and checkpoint == 'rerand'", 0.903),
        ("target == '2b' and architecture == 'fcn5x64' and quantity == 'full_error_mean'", 0.46),
        (
            "target == 'table1' and architecture == 'resnet101' and dataset == 'imagenet'"
            " and quantity == 'removed_error'",
            0.415,
        ),
        ("target == 'table2' and variant == 'r4s4' and quantity == 'pgd_std'", 0.0053),
        (
            "target == 'table2' and architecture == 'resnet4^2' and variant == 'baseline'"
            " and quantity == 'clean_mean'",
            0.9105,
        ),
        ("target == 'table3' and architecture == 'vgg13' and quantity == 'wd_bn'", 0.067),
    ],
)
def test_values_are_the_papers(labels, value):
    assert VALUES.query(labels)["value"].item() == pytest.approx(value)


def test_resolutions_are_those_that_the_values_were_read_with():
    """Of errors as resources/paper/README.md says; of distances as the values themselves show."""
    by_target = VALUES.groupby("target")["resolution"].unique().map(list)
    assert all(len(found) == 1 for found in by_target)
    resolution = by_target.str[0]
    errors = VALUES[VALUES["quantity"] == "test_error"]["target"].unique()
    assert resolution[errors].between(0.0035, 0.0065).all()
    assert resolution["2a"] == 0.001
    assert resolution[["table1", "table2", "table3"]].tolist() == pytest.approx([1e-4, 1e-4, 1e-3])
    # A 186th of the range of 15f is 0.668, the least gap of two values half of it.
    gaps = VALUES[VALUES["target"] == "15f"]["value"].drop_duplicates().sort_values().diff()
    assert 1 <= resolution["15f"] / gaps.min() <= 3

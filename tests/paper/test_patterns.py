"""Patterns of the claims: present in the paper's values, absent in their opposites."""

import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from layer_robustness.experiments.manifest import TrainingData
from layer_robustness.experiments.names import parse_network
from layer_robustness.paper.claims import judgement
from layer_robustness.paper.claims.claims import CLAIMS
from layer_robustness.paper.claims.evidence import Evidence
from layer_robustness.paper.claims.judgement import judge, pattern_verdict
from layer_robustness.paper.claims.statistics import (
    Statistic,
    combined,
    difference,
    falling,
    least,
    majority,
    order,
    over_images,
)
from layer_robustness.storage import bits
from support.papers_results import RECIPE, SEEDS, evidence
from support.result_files import read_csv, write_csv, write_manifest

SMALL = {"width": 0.125, "epochs": 20}


def many_seeds(folder, **changes) -> Evidence:
    """What was written, ten times over: of two equal seeds alone, chance is one half squared."""
    results = evidence(folder, **changes).results
    frames = {
        name: pd.concat(frame.assign(seed=frame["seed"] + SEEDS * time) for time in range(10))
        for name, frame in results.frames.items()
    }
    return Evidence(replace(results, frames=frames))


def verdicts(folder, **changes) -> dict[int, str]:
    rows = judge(CLAIMS, many_seeds(folder, **changes))
    return rows.groupby("claim")["claim_verdict"].first().to_dict()


def test_the_papers_values_show_every_pattern_that_can_be_seen_in_them(written):
    found = verdicts(written, **SMALL)
    assert found.pop(6) == judgement.NOT_TESTED  # it compares the paper's data sets
    assert set(found.values()) == {judgement.PRESENT}


def flip(frame: pd.DataFrame) -> pd.DataFrame:
    """Make what costs most cost least, and the other way round; the full model stays."""
    full = frame[(frame["unit"] == "fullmodel") & (frame["source"] == "100")]["error"]
    full = full.mean() if len(full) else frame[frame["source"] == "100"]["error"].mean()
    changed = frame["source"] != "100"
    chance = frame["error"].max()
    frame.loc[changed, "error"] = chance + full - frame["error"]
    return frame


def test_opposite_values_show_no_pattern(written, tmp_path):
    papers = Path(shutil.copytree(written, tmp_path / "papers"))
    for path in papers.rglob("*.csv"):
        frame = read_csv(path)
        if path.name in ("probe.csv", "joint.csv") and "error" in frame:
            frame = flip(frame)
        elif path.name == "adversarial.csv":
            baseline = frame["configuration"] == "baseline"
            frame.loc[baseline, "accuracy"] = 1 - 0.1 * frame["accuracy"]
        elif "+frozen" in str(path):
            frame["test_error"] = 0.95  # freezing costs more than any reset
        write_csv(path, frame)
    found = verdicts(papers, **SMALL)
    assert found.pop(6) == judgement.NOT_TESTED
    assert found.pop(9) == judgement.UNDECIDED  # the paper's ImageNet hardly shows it either
    assert set(found.values()) == {judgement.ABSENT}


def test_a_single_network_is_judged_over_its_test_images(written, tmp_path):
    """Two layers that err on 40 and 60 of 100 images, the full model on none."""
    network = parse_network("mnist/fcn3x256")
    file = f"{network}/probe.csv"
    frame = read_csv(written / file).query("seed == 0")
    for unit, error in (("layer1", 0.6), ("layer2", 0.4), ("layer3", 0.0), ("layer4", 0.0)):
        frame.loc[(frame["unit"] == unit) & (frame["source"] == "0"), "error"] = error
    frame.loc[frame["source"] == "100", "error"] = 0.0
    write_csv(tmp_path / file, frame)
    images = np.arange(100)
    bits.write(tmp_path / file, [images < round(100 * error) for error in frame["error"]])
    data = TrainingData("mnist", "the paper's", (1, 28, 28), 10)
    write_manifest(tmp_path, network, RECIPE, data, seeds=1, draws=1)
    rows = judge(CLAIMS[1:2], evidence(tmp_path, **SMALL))
    row = rows.query("sense == 'pattern'").squeeze()
    assert row["interval"] == "100 resampled test images of one seed"
    assert row["value"] == pytest.approx(0.2 / 0.9)  # of nested errors: 20 images of 100
    assert row["p"] < 0.001
    assert row["part_verdict"] == judgement.PRESENT


T = stats.t.sf(2 / math.sqrt(1 / 3), 2)  # of mean 2 and standard error 1 / sqrt(3)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (order(pd.Series([3.0, 4]), pd.Series([1.0, 2]), ""), (1, True, 1 / 6, 1)),
        (order(pd.Series([3.0, 4]), pd.Series([0.0] * 4), ""), (1, True, 1 / 15, 1)),
        (falling(pd.Series(range(4)), pd.Series([9, 7, 5, 1]), ""), (1, True, 1 / 24, 1)),
        (falling(pd.Series(range(3)), pd.Series([5, 5, 5]), ""), (0, False, 1, 1)),
        (majority(pd.Series([1, 1, 1, -1]), ""), (0.75, True, 5 / 16, 15 / 16)),
        (majority(pd.Series([0, 0]), ""), (0.5, False, 1, 1)),
        (difference([1, 2, 3], ""), (2, True, T, 1 - T)),
        (difference([-2, -2], ""), (-2, False, 1, 1 / 4)),
        (difference([0, 0, 0], ""), (0, False, 1, 1)),
        (difference([0.3], ""), (0.3, True, 0.5, 0.5)),
    ],
)
def test_statistics_give_known_p_values(found: Statistic, expected):
    assert (found.value, found.holds, found.p, found.p_opposite) == pytest.approx(expected)


def test_resampled_images_give_the_p_value_of_the_binomial():
    """A reset that errs on 3 images of 1000: no resample without any is as likely as e^-3."""
    missed = np.zeros((1, 1000), bool)
    missed[0, :3] = True
    (found,) = over_images(missed, lambda errors: errors, "")
    assert found.p == pytest.approx(math.exp(-3), abs=0.015)


def test_networks_are_combined_by_fishers_method():
    assert combined([0.1, 0.1]) == pytest.approx(stats.chi2.sf(-4 * math.log(0.1), 4))


def test_a_lowest_number_picked_afterwards_is_no_evidence():
    """Of 12 numbers without any effect one is low by chance, in most of 200 trials."""
    random = np.random.default_rng(0)
    trials = random.normal(size=(200, 12, 5))
    found = [least([difference(numbers, "") for numbers in trial]) for trial in trials]
    assert np.mean([each.value < 0 for each in found]) > 0.9
    assert np.mean([each.p_opposite < 0.05 for each in found]) < 0.1


@pytest.mark.parametrize(
    ("cases", "all_tested", "expected"),
    [
        ([(1e-5, 1), (1, 1e-5)], True, judgement.PRESENT),
        ([(1e-5, 1)], False, judgement.PRESENT),
        ([(0.03, 0.97), (1, 1e-5)], True, judgement.UNDECIDED),
        ([(1, 1e-5), (1, 1e-5)], True, judgement.ABSENT),
        ([(1, 1e-5)], False, judgement.UNDECIDED),
    ],
)
def test_of_what_can_be_one_network_is_enough(cases, all_tested, expected):
    (can_be,) = (each for each in CLAIMS[9].statements if each.sense == "pattern")
    rows = [{"p": p, "p_opposite": opposite} for p, opposite in cases]
    assert pattern_verdict(can_be, rows, all_tested) == expected

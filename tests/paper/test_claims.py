"""Levels are judged as their criteria say: on the paper's own values, on others, on none.

Patterns are tested in test_patterns.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from fnmatch import filter as matching
from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Results
from layer_robustness.paper.claims import summary
from layer_robustness.paper.claims.claims import CLAIMS, Claim
from layer_robustness.paper.claims.evidence import Evidence
from layer_robustness.paper.claims.judgement import (
    ABSENT,
    FRAGILE,
    NOT_FRAGILE,
    NOT_SUPPORTED,
    NOT_TESTED,
    PRESENT,
    SUPPORTED,
    UNDECIDED,
    judge,
)
from layer_robustness.paper.claims.statistics import Estimate, Statistic, estimate
from support import papers_results
from support.checkout import ROOT
from support.result_files import arguments_of
from support.steps import ended

IDS = [f"{c.number}.{s.part}" for c in CLAIMS for s in c.statements if s.sense == "level"]
NOTHING = Evidence(Results({}))
NAN = float("nan")
FAILED = {NOT_SUPPORTED, NOT_FRAGILE}
# Parts of which the paper's own value is less than a quarter of the bound away from it; see the
# table at the end of docs/comparison.md.
ON_THE_BRINK = {"1.2", "1.4", "3.1", "3.2", "4.2", "5.3", "5.4", "6.1", "7.2"}


@pytest.fixture(scope="module")
def papers(written) -> SimpleNamespace:
    """The paper's own values as results, and what is judged of them."""
    evidence = papers_results.evidence(written)
    return SimpleNamespace(folder=written, evidence=evidence, rows=judge(CLAIMS, evidence))


def levels(claims: Iterable[Claim], evidence: Evidence) -> pd.DataFrame:
    """Judge claims, and keep what is said of levels."""
    return judge(claims, evidence).query("sense == 'level'")


def verdicts(rows: pd.DataFrame) -> dict[str, str]:
    """Verdict of each part on a level, such as `3.2`."""
    parts = rows.query("sense == 'level'").groupby(["claim", "part"])["part_verdict"].first()
    return {f"{claim}.{part}": verdict for (claim, part), verdict in parts.items()}


def test_the_claims_are_the_papers_eleven():
    readme = (ROOT / "resources/paper/README.md").read_text()
    listed = readme.partition("## What the paper claims")[2].splitlines()
    numbers = [int(line.partition(".")[0]) for line in listed if line[:1].isdigit()]
    assert [claim.number for claim in CLAIMS] == numbers == list(range(1, 12))


def test_the_papers_own_values_support_all_its_claims(papers):
    expected = dict.fromkeys(IDS, SUPPORTED) | dict.fromkeys(ON_THE_BRINK, FRAGILE)
    assert verdicts(papers.rows) == expected
    assert papers.rows["why_not_tested"].isna().all()


def where(unit: str = "", source: str = "", **values: float):
    """An edit of result rows: of units that contain `unit`, reset to `source`."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = frame["unit"].str.contains(unit) & frame["source"].str.fullmatch(source or ".*")
        frame.loc[chosen, list(values)] = list(values.values())
        return frame

    return edit


def swapped(frame: pd.DataFrame) -> pd.DataFrame:
    """Exchange checkpoints 0 and 1."""
    return frame.assign(source=frame["source"].replace({"0": "1", "1": "0"}))


def as_errors(column: str, evidence: Evidence, frame: pd.DataFrame) -> pd.DataFrame:
    """Make distances that order the layers as their errors do."""
    probe = evidence.results.of(parse_network(frame["network"].iloc[0]), "probe.csv")
    error = probe[probe["source"] == "0"].groupby("unit")["error"].first()
    return frame.assign(**{column: frame["unit"].map(error)})


def attacked(attack: str, accuracy: float):
    """Give the classifier that swaps one block this accuracy under an attack."""

    def edit(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = (frame["attack"] == attack) & (frame["s"] == 1)
        frame.loc[chosen, "accuracy"] = accuracy
        return frame

    return edit


# What has to change for a part not to hold: rows of which experiments and files, and how.
BREAKS = {
    "1.1": ("mnist/fcn5x256/*/probe.csv", where("layer3", "rerand", error=0.45)),
    "1.2": ("mnist/fcn3x256/*/probe.csv", where("layer", "rerand", error=0.6)),
    "1.3": ("cifar10/vgg13/*/probe.csv", where("fc2", "rerand", error=0.2)),
    "1.4": ("cifar10/vgg19/*/probe.csv", where("stage", "rerand", error=0.6)),
    "2.1": ("mnist/fcn3x256/*/probe.csv", where("layer1", "0", error=0.15)),
    "2.2": ("mnist/fcn3x256/*/probe.csv", where("layer4", "0", error=0.25)),
    "3.1": ("mnist/fcn3x256/*/probe.csv", where("layer[2-9]", "0", error=0.85)),
    "3.2": ("cifar10/fcn3x16/*/probe.csv", where("layer[2-9]", "0", error=0.765)),
    "3.3": ("cifar10/fcn3x512/*/probe.csv", where("layer[2-9]", "0", error=0.43)),
    "4.1": ("cifar10/vgg16/*/probe.csv", where("stage2.block1", "0", error=0.2)),
    "4.2": ("cifar10/vgg11/*/probe.csv", where("final_linear", "0", error=0.4)),
    "5.1": ("imagenet/resnet152/*/probe.csv", where("stage0", "0", error=0.33)),
    "5.2": ("cifar10/resnet18/*/probe.csv", where("stage3.resblk1", "0", error=0.12)),
    "5.3": ("cifar10/resnet50/*/probe.csv", where("stage3.resblk[2-5]", "0", error=0.9)),
    "5.4": ("cifar10/resnet50/*/probe.csv", where("stage3.resblk[2-5]", "rerand", error=0.9)),
    "5.5": ("cifar10/resnet101/*/probe.csv", where("final_linear", "0", error=0.5)),
    "5.6": ("cifar10/resnet101/*/probe.csv", where("final_linear", "rerand", error=0.1)),
    "6.1": ("cifar10/resnet18/*/probe.csv", where("stage4.resblk2", "0", error=0.7)),
    "7.1": ("cifar10/resnet18/*/probe.csv", where("stage[12].resblk2", "0", error=0.5)),
    "7.2": ("cifar10/resnet18/*/joint.csv", where("^all_but_first$", "0", error=0.2)),
    "7.3": ("mnist/fcn5x256/*/joint.csv", where("^every_second$", "0", error=0.6)),
    "8.1": ("cifar10/resnet50/*/joint.csv", where("^all_but_first$", "0", error=0.2)),
    "8.2": ("cifar10/resnet50+removed/*/training.csv", lambda f: f.assign(test_error=0.2)),
    "8.3": ("imagenet/resnet50+removed/*/training.csv", lambda f: f.assign(test_error=0.36)),
    "9.1": ("*/*/*/distances.csv", "dist_l2"),
    "9.2": ("*/*/*/distances.csv", "dist_linf"),
    "10.1": ("*/resnet50+wd+bn/*/probe.csv", swapped),
    "11.1": ("*/resnet4^2/*/adversarial.csv", attacked("clean", 0.8)),
    "11.2": ("*/resnet4^2/*/adversarial.csv", attacked("fgsm", 0.315)),
    "11.3": ("*/resnet4^4/*/adversarial.csv", attacked("pgd", 0.005)),
    "11.4": ("*/resnet4^4/*/adversarial.csv", attacked("pgd", 0.5)),
}


def changed(evidence: Evidence, pattern: str, edit: Callable | str) -> Evidence:
    """Edit the rows of experiments, each for itself, in one file."""
    experiments, _, file = pattern.rpartition("/")
    frames = evidence.results.frames
    rows = {f"{n}/seed{seed}": r for (n, seed), r in frames[file].groupby(["network", "seed"])}
    if isinstance(edit, str):
        edit = partial(as_errors, edit, evidence)
    chosen = matching(rows, experiments)
    assert chosen
    rows |= {name: edit(rows[name].copy()) for name in chosen}
    frames = {**frames, file: pd.concat(rows.values())}
    return Evidence(replace(evidence.results, frames=frames))


@pytest.fixture
def judged(papers):
    """Judge the claim of a part by the paper's values with changes: patterns, and edits."""

    def judged(part: str, *changes) -> pd.DataFrame:
        evidence = papers.evidence
        for pattern, edit in changes:
            evidence = changed(evidence, pattern, edit)
        return levels([CLAIMS[int(part.partition(".")[0]) - 1]], evidence)

    return judged


def of_part(rows: pd.DataFrame, part: str) -> pd.DataFrame:
    """Rows of a part on a level, such as `3.2`, by case."""
    return rows[rows["part"] == int(part.partition(".")[2])].set_index("case")


@pytest.mark.parametrize("part", IDS)
def test_other_results_do_not_support_a_part(part, judged):
    """And no other part of the claim is affected."""
    rows = judged(part, BREAKS[part])
    assert {name for name, verdict in verdicts(rows).items() if verdict in FAILED} == {part}
    assert set(rows["claim_verdict"]) == {verdicts(rows)[part]}


# A unit that has to cost at most 0.2: what it costs, and the verdict where the bound may be moved
# to 0.15 and 0.25. In the paper, the costliest of 4.2 costs 0.198.
MOVED = [(0.14, SUPPORTED), (0.16, FRAGILE), (0.24, NOT_FRAGILE), (0.26, NOT_SUPPORTED)]


@pytest.mark.parametrize(("cost", "verdict"), MOVED)
def test_a_verdict_is_fragile_where_a_quarter_of_the_bound_would_flip_it(cost, verdict, judged):
    """The full model errs at 0.021, chance is 0.9."""
    upper = where("layer[2-4]", "0", error=0.021 + cost * (0.9 - 0.021))
    rows = judged("2.2", ("mnist/fcn3x256/*/probe.csv", upper))
    assert of_part(rows, "2.2")["value"].item() == pytest.approx(cost)
    assert verdicts(rows) == {"2.1": SUPPORTED, "2.2": verdict}
    assert set(rows["claim_verdict"]) == {verdict}


def without_a_gain(frame: pd.DataFrame) -> pd.DataFrame:
    """Give all classifiers the baseline's mean against FGSM, but for rounding."""
    fgsm = frame["attack"] == "fgsm"
    baseline = fgsm & (frame["configuration"] == "baseline")
    frame.loc[baseline, "accuracy"] = 0.3
    frame.loc[fgsm & ~baseline, "accuracy"] = 0.3 * (1 + 1e-14)
    return frame


FROZEN, REMOVED = (f"cifar10/resnet50{treatment}" for treatment in ("+frozen", "+removed"))
ALL_THREE = f"cifar10/resnet50, {FROZEN}, {REMOVED}"


def ends_at(error: float):
    """An edit of a training's history: the test error after its last epoch."""
    return lambda frame: frame.assign(test_error=[*frame["test_error"][:-1], error])


def ends_at_epoch_1(frame: pd.DataFrame) -> pd.DataFrame:
    """Keep the initial and the trained network, as of a training of one epoch."""
    return frame[frame["source"].isin(["rerand", "0", "100"])].replace({"source": {"100": "1"}})


# What cannot be tested: a part, in which files what is changed, and what is said.
UNTESTED = [
    (
        "3.2",
        ("cifar10/fcn3x16/*/probe.csv", where("layer[2-9]", "0", error=0.5)),
        "the cost at cifar10/fcn3x16 is -0.2[0-9]+, not above 0, so the cost at cifar10/fcn3x512 "
        "cannot be a share of it",
    ),
    (
        "11.4",
        ("cifar10/resnet4^2/*/adversarial.csv", without_a_gain),
        r"the gain of cifar10/resnet4\^2 against FGSM \(r = 4, s = 1\) is 0.000, not above 0, so "
        "its gain against PGD cannot be a share of it",
    ),
    (
        "9.1",
        ("cifar10/vgg16/*/distances.csv", lambda frame: frame.assign(dist_l2=1.0)),
        "the number is undefined for cifar10/vgg16",
    ),
    (
        "2.1",
        ("mnist/fcn3x256/*/probe.csv", where(source="100", error=0.85)),
        r"mnist/fcn3x256 did not learn \(test error 0.85\)",
    ),
    (
        "2.1",
        ("mnist/fcn3x256/*/probe.csv", where(error=NAN)),
        "mnist/fcn3x256 did not train",
    ),
    (
        "10.1",
        ("cifar10/resnet50+wd+bn/*/probe.csv", ends_at_epoch_1),
        r"cifar10/resnet50\+wd\+bn: epoch 1 is the trained network itself",
    ),
    *(
        ("8.2", (f"{name}/*/training.csv", ends_at(NAN)), f"{re.escape(name)} did not train")
        for name in ("cifar10/resnet50", FROZEN, REMOVED)
    ),
]


@pytest.mark.parametrize(("part", "change", "why"), UNTESTED)
def test_what_cannot_be_tested_says_why(part, change, why, judged):
    rows = of_part(judged(part, change), part).dropna(subset="why_not_tested")
    assert rows[["value", "holds"]].isna().all(axis=None)
    (told,) = rows["why_not_tested"].unique()
    assert re.fullmatch(why, told)


# One seed of two, which are alike, is of no use: what then is left for an interval. A full model
# at 0.61 learned less than a third of what there is.
ALONE = "none: one seed, one draw"
LEFT_OUT = [
    ("2.1", "mnist/fcn3x256", "probe.csv", where(source="100", error=0.61), ALONE),
    ("8.2", "cifar10/resnet50", "training.csv", ends_at(NAN), "2 seeds"),
    ("8.2", FROZEN, "training.csv", ends_at(NAN), "2 seeds"),
    ("8.2", REMOVED, "training.csv", ends_at(NAN), ALONE),
    (
        "11.1",
        "cifar10/resnet4^2",
        "adversarial.csv",
        lambda frame: frame.assign(accuracy=NAN),
        "5 draws of one seed",
    ),
]


@pytest.mark.parametrize(("part", "network", "file", "edit", "interval"), LEFT_OUT)
def test_a_seed_that_did_not_learn_is_left_out(part, network, file, edit, interval, judged):
    case = ALL_THREE if part == "8.2" else network
    before = of_part(judged(part), part).loc[case]
    row = of_part(judged(part, (f"{network}/seed0/{file}", edit)), part).loc[case]
    assert row["value"] == pytest.approx(before["value"]) and row["interval"] == interval


# A change to one seed of two, so that the t-interval leaves what the number can be.
WIDE = [
    ("3.1", "mnist/fcn5x16/seed0/probe.csv", where("layer[2-9]", "0", error=0.1), -1, 1),
    ("6.1", "imagenet/resnet18/seed0/probe.csv", where("stage1", "0", error=0.9), -5, 5),
    ("10.1", "cifar10/resnet50+wd+bn/seed0/probe.csv", swapped, 0, 1),
]


@pytest.mark.parametrize(("part", "file", "edit", "lowest", "highest"), WIDE)
def test_an_interval_ends_where_its_number_does(part, file, edit, lowest, highest, judged):
    rows = of_part(judged(part, (file, edit)), part)
    row = rows[rows.index.str.startswith(file.partition("/seed")[0])].squeeze()
    assert lowest <= row["low"] < row["value"] < row["high"] <= highest
    assert row["low"] == lowest or row["high"] == highest


@pytest.mark.parametrize(
    ("removed", "holds", "clear"),
    [
        ((0.14, 0.26), True, "no"),  # each is over the bound, on either side
        ((0.2001, 0.1999), True, "yes"),
        ((0.1001, 0.0999), False, "yes"),
        ((0.1, 0.4), False, "no"),
    ],
)
def test_a_difference_is_judged_either_way_by_its_mean_over_seeds(removed, holds, clear, judged):
    changes = [(f"{REMOVED}/seed{seed}/training.csv", ends_at(e)) for seed, e in enumerate(removed)]
    rows = judged("8.2", (f"{FROZEN}/*/training.csv", ends_at(0.2)), *changes)
    row = of_part(rows, "8.2").loc[ALL_THREE]
    assert (row["holds"], row["clear"]) == (holds, clear)
    assert row["criterion"].endswith("is at most 0.05 either way")
    assert np.sign(row["value"].round(6)) == np.sign(round(sum(removed) / 2 - 0.2, 6))


# How a network was run: changes in its setup, or None, and what is said of it.
RUNS = [
    ({"data": "digits5k"}, "was run on digits5k, width 1, 100 epochs: its levels cannot be"),
    ({"width": 0.125}, "was run on cifar10, width 0.125, 100 epochs: its levels cannot be"),
    ({"epochs": 20}, "was run on cifar10, width 1, 20 epochs: its levels cannot be"),
    (None, "was not run"),
]


@pytest.mark.parametrize(("change", "why"), RUNS)
def test_levels_are_judged_only_of_networks_that_ran_as_the_papers_did(change, why, papers):
    setups = dict(papers.evidence.results.setups)
    setup = setups.pop("cifar10/vgg13")
    if change:
        setups["cifar10/vgg13"] = replace(setup, **change)
    rows = levels(CLAIMS[3:4], Evidence(replace(papers.evidence.results, setups=setups)))
    reasons = rows.set_index("case")["why_not_tested"]
    assert reasons["cifar10/vgg13"].str.startswith(f"cifar10/vgg13 {why}").all()
    assert reasons.drop("cifar10/vgg13").isna().all()
    assert verdicts(rows) == {"4.1": SUPPORTED, "4.2": FRAGILE}


def test_what_a_network_that_was_not_run_may_show_is_not_denied(papers):
    """VGG16's distances are far from the bound; claim 9 asks for one network that keeps to it."""
    name = "cifar10/vgg16"
    results = replace(papers.evidence.results, setups={name: papers.evidence.results.setups[name]})
    rows = levels([CLAIMS[8]], Evidence(results)).query("part == 1")
    assert rows["value"].max() > 0.7
    assert set(rows["part_verdict"]) == {NOT_TESTED}


def test_a_gain_is_over_the_baseline_of_its_seed(papers):
    """The baseline of one of two seeds, which are alike, does worse."""
    network = parse_network("cifar10/resnet4^2")

    def worse(frame: pd.DataFrame) -> pd.DataFrame:
        own = (frame["configuration"] == "baseline") & (frame["attack"] == "fgsm")
        return frame.assign(accuracy=frame["accuracy"] - 0.1 * own)

    shifted = changed(papers.evidence, f"{network}/seed1/adversarial.csv", worse)
    more = shifted.gains(network, "fgsm") - papers.evidence.gains(network, "fgsm")
    assert more[0].to_numpy() == pytest.approx(0) and more[1].to_numpy() == pytest.approx(0.1)


def test_a_file_that_is_missing_is_named(papers):
    results = papers.evidence.results
    frames = {name: f for name, f in results.frames.items() if name != "adversarial.csv"}
    rows = judge(CLAIMS[10:], Evidence(replace(results, frames=frames)))
    assert "cifar10/resnet4^2 has no adversarial.csv" in set(rows["why_not_tested"])


def sample(*seeds: list[float]) -> pd.Series:
    values = {(s, d): value for s, draws in enumerate(seeds) for d, value in enumerate(draws)}
    return pd.Series(values).rename_axis(["seed", "draw"])


def test_intervals_are_over_seeds_or_else_over_draws():
    """Of the means 1, 2, 6 the deviation is sqrt(7), and t with 2 degrees of freedom 4.303."""
    over_seeds = estimate(sample([0, 2], [2, 2], [5, 7]))
    over_draws = estimate(sample([1, 2, 6]))
    for found, basis in ((over_seeds, "3 seeds"), (over_draws, "3 draws of one seed")):
        assert found.value == 3 and found.interval == basis
        assert found.high - 3 == pytest.approx(4.30265 * (7 / 3) ** 0.5, rel=1e-5)
        assert found.low + found.high == pytest.approx(6)
    alone = estimate(sample([NAN, NAN], [0.5, NAN]))  # what is undefined is left out
    assert alone.value == 0.5 and pd.isna(alone.low) and pd.isna(alone.high)
    assert alone.interval == "none: one seed, one draw"


# Numbers that have to be at least 1, p-values of patterns, and the verdict of all together.
WORST = [
    ([2, 1.1, 0.9, 0], [0.01], NOT_SUPPORTED),
    ([NAN, 2, 1.1, 0.9], [0.01], NOT_FRAGILE),
    ([2, 1.1], [0.99], FRAGILE),
    ([NAN, 2], [0.99], SUPPORTED),
    ([NAN], [0.01, 0.5, 0.99], ABSENT),
    ([NAN], [0.01, 0.5], UNDECIDED),
    ([NAN], [0.01], PRESENT),
    ([NAN], [], NOT_TESTED),
]


@pytest.mark.parametrize(("values", "p_values", "expected"), WORST)
def test_the_worst_part_decides_by_levels_where_any_was_tested(values, p_values, expected):
    found = [("level", Estimate(value, NAN, NAN, "", "")) for value in values]
    found += [("pattern", Statistic(0, True, p, 1 - p, "", "")) for p in p_values]
    any_statement = replace(CLAIMS[0].statements[0], cases=((),), lowest=1, highest=np.inf)
    statements = [
        replace(any_statement, sense=sense, measure=lambda _, number=number: number)
        for sense, number in found
    ]
    rows = judge([replace(CLAIMS[0], statements=tuple(statements))], NOTHING)
    assert set(rows["claim_verdict"]) == {expected}


def test_the_command_writes_what_is_judged(papers, tmp_path):
    written = tmp_path / "claims.csv"
    assert ended("claims", *arguments_of(papers.folder), "--output", written) == ""
    assert written.read_text() == papers.rows.to_csv(index=False)
    head, _, rest = written.with_suffix(".md").read_text().partition("\n\n|")
    assert "made_up preset: cifar10 = cifar10 (width 1, 100 epochs, seeds: 2)" in head
    assert rest in summary.markdown(CLAIMS, papers.rows, "# head")
    assert CLAIMS[0].text in written.with_suffix(".html").read_text()


def test_of_claims_judged_by_patterns_the_summary_shows_no_levels(papers):
    """But why levels were not tested where there is no pattern, as of claim 6."""
    ran = papers.evidence.results.setups.items()
    setups = {name: replace(setup, width=0.125) for name, setup in ran}
    claims = [CLAIMS[5], CLAIMS[7]]
    rows = judge(claims, Evidence(replace(papers.evidence.results, setups=setups)))
    text = summary.markdown(claims, rows, "# head")
    assert f"**{UNDECIDED}**: On CIFAR10, re-initializing blocks jointly" in text
    assert CLAIMS[7].statements[0].criterion not in text
    assert (
        f"**{NOT_TESTED}**: {CLAIMS[5].statements[0].criterion}.\n\nNot tested here: image" in text
    )
    assert "imagenet/resnet18 was run on imagenet, width 0.125" in text


def test_the_summary_says_what_the_rows_say(papers):
    text = summary.markdown(CLAIMS, papers.rows, "# head")
    for claim in CLAIMS:
        assert f"## {claim.number}. {claim.text}" in text
        for statement in claim.statements:
            assert statement.criterion.rstrip(".") in text
    cells = [[c.strip() for c in line.strip("|").split("|")] for line in text.splitlines()]
    overview = {row[0]: row[1:] for row in cells if len(row) == 4}
    assert overview["9"] == [CLAIMS[8].text, SUPPORTED, "6 of 10 bounds"]
    for sense, columns in (("level", 6), ("pattern", 7)):
        shown = [row[:3] for row in cells if len(row) == columns and row[2][-1].isdigit()]
        rows = papers.rows[papers.rows["sense"] == sense].itertuples(index=False)
        assert shown == [[row.case, row.about, f"{row.value:.3f}"] for row in rows]

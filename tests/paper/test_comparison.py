"""Our values stand beside the paper's, each once, and agreement is what it says."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy.stats import mannwhitneyu

from layer_robustness.experiments.manifest import TrainingData
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Results, Setup
from layer_robustness.figures import style
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.comparison import pictures
from layer_robustness.paper.comparison.agreement import (
    KAPPAS,
    auc,
    auc_of,
    kappa,
    summarize,
    told_apart,
)
from layer_robustness.paper.comparison.values import COLUMNS, COMPARED, OF, compare, match
from layer_robustness.paper.setups import describe
from layer_robustness.tables.registry import TABLES
from support import papers_results
from support.checkout import ROOT
from support.papers_results import VALUES
from support.result_files import NAMES, arguments_of, write_csv, write_manifest
from support.steps import ended

FIGURE1 = FIGURES["figure1"]
# What is said of the classification into critical and robust layers.
AGREEMENTS = [*KAPPAS.values(), "agreement", "always_robust"]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def the_papers(target, folder, **changes) -> Results:
    """Return results that are what the paper shows, with changes in how all networks were run."""
    papers_results.write(folder, [target])
    return papers_results.evidence(folder, **changes).results


def panels_of(target) -> set[str]:
    """Names of a figure's panels, or the name of a table."""
    if target in TABLES.values():
        return {target.name}
    return {panel.name for panel in target.panels}


# Checkpoints


@pytest.mark.parametrize(
    ("ours", "others"),
    [
        (["0", "1", "10", "100"], {}),
        (["0", "1", "2", "5"], {"10": ("2", "position"), "100": ("5", "final epoch")}),
        (["0", "10", "20", "30"], {"1": None, "100": ("30", "final epoch")}),
        (["0", "30"], {"1": None, "10": None, "100": ("30", "final epoch")}),
    ],
)
def test_checkpoints_match_by_epoch_else_by_position(ours, others):
    """`others` are the partners of the paper's epochs that are not the same ones."""
    theirs = ["rerand", "0", "1", "10", "100"]
    expected = {source: (source, "same") for source in theirs} | others
    found = match(theirs, ["rerand", *ours]).set_index("checkpoint")
    assert found.index.is_unique
    partners = dict(zip(found.index, found.itertuples(index=False, name=None), strict=True))
    assert partners == {source: partner for source, partner in expected.items() if partner}


# Patterns


def test_auc_is_the_statistic_of_mann_and_whitney():
    random = np.random.default_rng(0)
    for high in (3, 1000):  # many ties, and few
        critical, robust = random.integers(high, size=7), random.integers(high, size=12)
        expected = mannwhitneyu(critical, robust).statistic / (7 * 12)
        assert auc(critical, robust) == pytest.approx(expected)


def test_kappa_is_as_computed_by_hand():
    """Of 50: both say yes of 20, no of 15; they agree on 0.7, and by luck on 0.5."""
    one = pd.Series([True] * 25 + [False] * 25)
    other = pd.Series([True] * 20 + [False] * 5 + [True] * 10 + [False] * 15)
    assert kappa(one, other) == pytest.approx(0.4)
    assert kappa(one, one) == 1 and kappa(one, ~one) == -1
    assert kappa(one[:25], one[:25]) is None


def test_the_units_told_apart_are_those_of_the_papers_text():
    assert told_apart(parse_network("cifar10/vgg11")) == (
        ("stage1.block1", "stage2.block1"),
        ("stage5.block1", "stage5.block2", "fc1", "fc2"),
    )
    critical, robust = told_apart(parse_network("cifar10/resnet50"))
    assert critical == ("stage0", *(f"stage{number}.resblk1" for number in range(1, 5)))
    assert len(robust) == 12 and "final_linear" not in robust
    critical, _ = told_apart(parse_network("cifar10/resnet18"))  # stage1 has no downsampling
    assert critical == ("stage0", *(f"stage{number}.resblk1" for number in range(2, 5)))
    for name in ("mnist/fcn3x256", "cifar10/resnet50+removed"):
        network = parse_network(name)
        assert auc_of(network, pd.Series(0.0, network.units)) is None


# Values


def test_all_targets_are_compared_that_the_paper_gives_numbers_of():
    of_targets = [panels_of(target) for target in COMPARED]
    assert sum(map(len, of_targets)) == len(set().union(*of_targets))
    assert set().union(*of_targets) == set(VALUES["target"])


@pytest.mark.parametrize("target", COMPARED, ids=lambda target: target.name)
def test_results_equal_to_the_papers_agree_in_every_value(target, tmp_path):
    """Zero difference, correlation, kappa and agreement 1, and every value of the paper once."""
    results = the_papers(target, tmp_path)
    rows = compare([target], results, VALUES)
    theirs = VALUES[VALUES["target"].isin(panels_of(target))]
    key = [*OF, "checkpoint"]
    assert list(rows.columns) == COLUMNS
    assert sorted(map(tuple, rows[key].to_numpy())) == sorted(map(tuple, theirs[key].to_numpy()))
    assert rows["difference"].abs().max() < 1e-12
    assert set(rows["matched_by"]) <= {"same", ""} and rows["papers_setup"].all()
    assert set(rows["seeds"]) <= {1, 2} and set(rows["did_not_train"]) == {0}
    if target.kind == "bars":  # the whisker is the deviation of the bar's end
        bars = rows.pivot(index="network", columns="quantity", values=["ours", "std"])
        whiskers = bars["ours"]["reinit_error_std"]
        assert bars["std"]["reinit_error_mean"].to_numpy() == pytest.approx(whiskers.to_numpy())
    if target.kind == "heatmap":
        assert (rows["std"] == 0).all() and rows["std_draws"].isna().all()
    summary = summarize(rows, results.setups)
    assert set(summary["target"]) == panels_of(target)
    assert summary["mean_abs_difference"].max() < 1e-12
    for name in ("spearman", "agreement", *KAPPAS.values()):
        assert summary[name].dropna().tolist() == pytest.approx([1] * summary[name].count())
    errors = summary[(summary["quantity"] == "test_error") & (summary["checkpoint"] != "100")]
    assert summary["agreement"].count() == len(errors)
    assert (errors["critical_paper"] == errors["critical_ours"]).all()
    if target.name in ("figure3", "figure4", "figure5"):  # whose layers the text tells apart
        assert summary[summary["checkpoint"] == "0"]["auc"].tolist() == [1] * len(target.panels)


def test_what_was_not_run_is_not_compared(tmp_path):
    results = the_papers(FIGURES["figure4"], tmp_path)
    del results.setups["cifar10/resnet152"]
    rows = compare([FIGURES["figure4"]], results, VALUES)
    assert set(rows["target"]) == {"4a", "4b", "4c"}
    nothing = compare(COMPARED, Results({}), VALUES)
    assert nothing.empty and list(nothing.columns) == COLUMNS
    assert summarize(nothing, {}).empty


# Panels of FCN 3x256 by hand. The paper's costs of re-initialization: 0.405, 0.061, 0.007, 0.046.

NETWORK = "mnist/fcn3x256"
UNITS = parse_network(NETWORK).units
FULL = 0.1


def fcn(
    *errors: float,
    sources: Sequence[str] = ("0",),
    full: float = FULL,
    checkpoints: Sequence[str] = ("0", "1", "5"),
    **changes,
) -> Results:
    """Make up a seed with these errors of layers that are put back to these sources.

    All else is as the full model; `changes` are in how the network was run.
    """
    rows = [
        {"network": NETWORK, "seed": 0, "unit": unit, "source": source, "draw": 0}
        | {"error": error if source in sources else full, "dist_l2": 0.0, "dist_linf": 0.0}
        for unit, error in itertools.zip_longest([*UNITS, "fullmodel"], errors, fillvalue=full)
        for source in ("rerand", *checkpoints)
    ]
    setup = replace(Setup("digits5k", 10, 1, 5, seeds=1), **changes)
    frames = dict.fromkeys(("probe.csv", "distances.csv"), pd.DataFrame(rows))
    return Results({NETWORK: setup}, frames)


def panel_1a(results: Results) -> pd.DataFrame:
    """The summary of Figure 1a by checkpoint of the paper."""
    rows = compare([FIGURE1], results, VALUES)
    return summarize(rows, results.setups).query("target == '1a'").set_index("checkpoint")


def test_agreement_and_correlation_are_as_computed_by_hand():
    """Our costs are 0.0375, 0.15, 0.3125 and 0.4375; the paper's ranks are 4, 3, 1 and 2."""
    row = panel_1a(fcn(0.13, 0.22, 0.35, 0.45)).loc["0"]
    # The squares of the differences of ranks are 9, 1, 4 and 4: 1 - 6 * 18 / (4 * 15)
    assert row["spearman"] == pytest.approx(-0.8)
    # Critical are the paper's first, at 0.05 its second too, and our last three, at 0.2 and 0.3
    # last two, at 0.4 last; at 0.5 none is.
    kappas = [-0.5, -0.6, -0.5, -0.5, -1 / 3, math.nan]
    assert row[KAPPAS.values()].tolist() == pytest.approx(kappas, nan_ok=True)
    assert (row["agreement"], row["always_robust"]) == (0.25, 0.75)
    assert (row["critical_paper"], row["critical_ours"], row["values"]) == (1, 2, 4)
    assert pd.isna(row["auc"])


def test_order_is_not_compared_where_all_layers_are_of_one_kind():
    """The paper's layers are all at chance when re-randomized, all unharmed at checkpoint 1."""
    summary = panel_1a(fcn(0.5, 0.2, 0.1, 0.3, sources=("rerand", "0", "1")))
    assert summary.loc[["rerand", "1"], "spearman"].isna().all()
    assert summary.loc["0", "spearman"] == pytest.approx(0.8)
    assert summary.loc[["rerand", "1"], "agreement"].notna().all()
    assert summary.loc["100", AGREEMENTS].isna().all()


def test_levels_are_compared_in_the_papers_setup_only():
    errors, papers_run = (0.5, 0.2, 0.1, 0.3), {"data": "mnist", "epochs": 100}
    same = panel_1a(fcn(*errors, **papers_run))
    expected = (0.5 - 0.377 + 0.2 - 0.075 + 0.1 - 0.027 + 0.3 - 0.061) / 4
    assert same.loc["0", "mean_abs_difference"] == pytest.approx(expected)
    for change in ({"data": "digits5k"}, {"width": 0.5}, {"epochs": 99}):
        summary = panel_1a(fcn(*errors, **papers_run | change))
        assert not summary["papers_setup"].any() and summary["mean_abs_difference"].isna().all()


def test_levels_of_different_stages_of_training_are_not_compared():
    """The paper's epochs of MNIST are 0, 1, 2, 3, 8, 40, 90 and 100; here 9 stands for 8."""
    epochs = ("0", "1", "2", "3", "9", "40", "90", "100")
    results = fcn(0.5, 0.2, 0.1, 0.3, epochs=100, data="mnist", checkpoints=epochs)
    summary = panel_1a(results)
    assert summary["papers_setup"].all()
    compared = summary["mean_abs_difference"].notna()
    assert compared.index[~compared].tolist() == ["8"]


def test_a_network_that_did_not_learn_agrees_with_nothing():
    summary = panel_1a(fcn(0.9, 0.9, 0.9, 0.9, full=0.88))
    assert summary[AGREEMENTS].isna().all(axis=None) and summary["critical_ours"].isna().all()


def test_a_network_that_did_not_train_is_beside_the_papers_with_nothing():
    results = fcn(full=math.nan)
    rows = compare([FIGURE1], results, VALUES).query("target == '1a'")
    assert len(rows) == 20 and rows["paper"].notna().all() and rows["ours"].isna().all()
    assert set(rows["seeds"]) == {0} and set(rows["did_not_train"]) == {1}
    assert panel_1a(results)[[*AGREEMENTS, "spearman", "critical_ours"]].isna().all(axis=None)
    drawing = pictures.draw(FIGURE1, rows)
    assert [len(axes.collections) for axes in drawing.axes[:3]] == [1, 0, 0]
    assert {axes.texts[0].get_text() for axes in drawing.axes[1:3]} == {"did not train"}


def test_joint_panels_have_two_groups_to_compare(tmp_path):
    results = the_papers(FIGURES["figure8"], tmp_path)
    summary = summarize(compare([FIGURES["figure8"]], results, VALUES), results.setups)
    assert set(summary["values"]) == {2} and summary[["spearman", "auc"]].isna().all(axis=None)
    initial = summary[summary["checkpoint"] == "0"].set_index("joint_group")["critical_paper"]
    assert initial.to_dict() == {"all_but_first": 2, "two_of_three": 2, "every_second": 1}


def test_a_preset_is_described_in_a_line():
    setups = fcn().setups | {"mnist/fcn5x256": Setup("digits5k", 10, 1, 30, 5)}
    assert describe("quick", setups) == (
        "quick preset: mnist = digits5k (width 1, 5/30 epochs, seeds: 1/5)."
    )


# Pictures


@pytest.mark.parametrize("name", ["figure6", "figure14"])
def test_pictures_show_both_on_one_scale_and_the_difference(name, tmp_path):
    figure = FIGURES[name]
    rows = compare([figure], the_papers(figure, tmp_path, epochs=7), VALUES)
    rows["ours"] += 0.01 * (rows["layer"] == "stage0") + 0.02
    rows["difference"] = rows["ours"] - rows["paper"]
    drawing = pictures.draw(figure, rows)
    shown = {axes.get_title(): axes for axes in drawing.axes if axes.get_title()}
    assert len(shown) == 3 * len(figure.panels)
    for panel in figure.panels:
        of_panel = rows[rows["target"] == panel.name]
        sides = [axes for title, axes in shown.items() if title.startswith(f"({panel.letter})")]
        meshes = {
            side: axes.collections[0] for side, axes in zip(pictures.SIDES, sides, strict=True)
        }
        for side, mesh in meshes.items():
            expected = of_panel.pivot(index="layer", columns="checkpoint", values=side)
            expected = expected.loc[of_panel["layer"].unique(), of_panel["checkpoint"].unique()]
            expected = expected.T if figure.transposed else expected
            drawn = mesh.get_array().reshape(expected.shape)
            assert drawn.tolist() == expected.to_numpy().tolist()
        both = of_panel[["paper", "ours"]]
        scale = (both.min(axis=None), both.max(axis=None))
        assert meshes["paper"].get_clim() == meshes["ours"].get_clim() == scale
        low, high = meshes["difference"].get_clim()
        assert low == -high and high >= of_panel["difference"].max()


def test_pictures_name_both_epochs_and_what_was_not_run():
    rows = compare([FIGURE1], fcn(0.5, 0.2, 0.1, 0.3), VALUES)
    drawing = pictures.draw(FIGURE1, rows.query("target == '1a'"))
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in drawing.axes[:3]]
    assert labels[0] == ["rerand", "0", "1", "100"]
    assert labels[1] == ["rerand", "0", "1", "5"]
    assert labels[2] == ["rerand", "0", "1", "5 / 100"]
    assert all("not run" in axes.texts[0].get_text() for axes in drawing.axes[3:9])


@pytest.mark.parametrize("name", ["figure6", "figure14"])
def test_pictures_say_how_many_seeds_did_not_train(name, tmp_path):
    figure = FIGURES[name]
    results = the_papers(figure, tmp_path)
    for frame in results.frames.values():
        frame.loc[frame["seed"] == 0, frame.columns.intersection(NAMES)] = math.nan
    rows = compare([figure], results, VALUES)
    assert set(rows["seeds"]) == set(rows["did_not_train"]) == {1}
    titles = [axes.get_title() for axes in pictures.draw(figure, rows).axes[:3]]
    said = [title.endswith("\n1 of 2 seeds did not train") for title in titles]
    assert said == [side == "ours" for side in pictures.SIDES]


def test_pictures_compare_no_epochs_of_different_stages(tmp_path):
    figure = FIGURES["figure14"]
    rows = compare([figure], the_papers(figure, tmp_path, data="digits5k_as_cifar10"), VALUES)
    tenth = rows["checkpoint"] == "10"
    rows.loc[tenth, ["our_checkpoint", "matched_by", "difference"]] = ["2", "position", 5.0]
    drawing = pictures.draw(figure, rows)
    paper, ours, difference = drawing.axes[:3]
    assert [axes.get_title().partition("\n")[2] for axes in (paper, ours, difference)] == [
        *("paper", "ours (digits)", "ours - paper"),
    ]
    mesh = difference.collections[0]
    drawn = mesh.get_array().reshape(len(difference.get_yticks()), -1)
    columns = [label.get_text() for label in difference.get_xticklabels()]
    assert columns == ["rerand", "0", "1", "2 / 10", "100"]
    assert np.ma.getmaskarray(drawn).all(axis=0).tolist() == [name == "2 / 10" for name in columns]
    assert mesh.get_clim()[1] < 5
    assert difference.patch.get_hatch()
    style.lay_out(drawing, "made up")
    assert drawing.texts[-1].get_text() == f"made up; {pictures.NOTE}"


# Commands


def test_the_commands_write_their_files(tmp_path, recipe, monkeypatch):
    """Only what was run: the network of Figure 1, which has a bar in Figure 2a too."""
    for file, frame in fcn(0.5, 0.2, 0.1, 0.3).frames.items():
        write_csv(tmp_path / NETWORK / file, frame)
    data = TrainingData("digits5k", "made up", (1, 28, 28), 10)
    write_manifest(tmp_path, parse_network(NETWORK), recipe, data, seeds=1, draws=1)
    made, out = [*arguments_of(tmp_path), "--paper", ROOT / "resources/paper"], tmp_path / "out"
    assert ended("comparison", *made, "--output", out / "comparison.csv") == ""
    written = pd.read_csv(out / "comparison.csv", dtype={"checkpoint": str})
    assert set(written["target"]) == {"1a", "1b", "1c", "2a"}
    assert set(written["data"]) == {"digits5k"} and not written["papers_setup"].any()
    panels = pd.read_csv(out / "comparison_panels.csv")
    assert set(panels["target"]) == {"1a", "1b", "1c", "2a"}
    assert "<th>always_robust</th>" in (out / "comparison_panels.html").read_text()
    picture = ("comparison_figure", "figure1", *made, "--output", out / "comparison_figure1.pdf")
    assert ended(*picture) == ""
    assert {path.name for path in out.iterdir()} == {
        *("comparison.csv", "comparison_panels.csv", "comparison_panels.html"),
        *("comparison_figure1.pdf", "comparison_figure1.png"),
    }
    saved = []
    monkeypatch.setattr(style, "save", lambda drawing, *_: saved.append(drawing))
    assert ended(*picture, "--error-scale", "shared") == ""
    assert [axes.collections[0].get_clim() for axes in saved[0].axes[:2]] == [(0, 1)] * 2

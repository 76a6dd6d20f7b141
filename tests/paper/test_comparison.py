"""Our values stand beside the paper's, each once, and agreement is what it says."""

import json
import math
import subprocess
import sys
from dataclasses import asdict

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import papers_results
import pytest
from papers_results import VALUES
from test_checkpoints import ENVIRONMENT

from conftest import ROOT, write_csv
from layer_robustness.figures import style
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.comparison import pictures
from layer_robustness.paper.comparison.agreement import AGREEMENTS, summarize
from layer_robustness.paper.comparison.checkpoints import match
from layer_robustness.paper.comparison.targets import COMPARED
from layer_robustness.paper.comparison.values import COLUMNS, OF, compare
from layer_robustness.paper.criticality import chance, cost, is_trained
from layer_robustness.paper.setups import describe
from layer_robustness.storage import jsonfile
from layer_robustness.tables.registry import TABLES

CHANCES = {"mnist": 0.9, "cifar10": 0.9, "imagenet": 0.999}


def panels_of(target) -> set[str]:
    """Names of a figure's panels, or the name of a table."""
    if target in TABLES.values():
        return {target.name}
    return {f"{target.number}{panel.letter}" for panel in target.panels}


# Checkpoints


@pytest.mark.parametrize(
    ("ours", "partners"),
    [
        (["0", "1", "10", "100"], {"0": "same", "1": "same", "10": "same", "100": "same"}),
        (["0", "1", "2", "5"], {"0": "same", "1": "same", "10": "position", "100": "final epoch"}),
        (["0", "10", "20", "30"], {"0": "same", "10": "same", "100": "final epoch"}),
        (["0", "4", "10"], {"0": "same", "100": "final epoch"}),
        (["0", "30"], {"0": "same", "100": "final epoch"}),
    ],
)
def test_checkpoints_match_by_epoch_else_by_position(ours, partners):
    found = match(["rerand", "0", "1", "10", "100"], ["rerand", *ours])
    assert {theirs: reason for theirs, (_, reason) in found.items()} == {
        "rerand": "same",
        **partners,
    }
    assert found["100"][0] == ours[-1]
    assert all(own == theirs for theirs, (own, reason) in found.items() if reason == "same")
    of_ours = [own for own, _ in found.values()]
    assert len(set(of_ours)) == len(of_ours)
    if "position" in partners.values():
        assert found["10"] == ("2", "position")


# Values


def test_all_targets_are_compared_that_the_paper_gives_numbers_of():
    of_targets = [panels_of(target) for target in COMPARED]
    assert sum(map(len, of_targets)) == len(set().union(*of_targets))
    assert set().union(*of_targets) == set(VALUES["target"])


@pytest.mark.parametrize("target", COMPARED, ids=lambda target: target.name)
def test_results_equal_to_the_papers_agree_in_every_value(target, tmp_path):
    """Zero difference, correlation 1 and agreement 1, and every value of the paper once."""
    papers_results.write_target(tmp_path, target)
    rows = compare([target], tmp_path, papers_results.setups(tmp_path), VALUES)
    theirs = VALUES[VALUES["target"].isin(panels_of(target))]
    key = [*OF, "checkpoint"]
    assert list(rows.columns) == COLUMNS
    assert sorted(map(tuple, rows[key].to_numpy())) == sorted(map(tuple, theirs[key].to_numpy()))
    assert rows["difference"].abs().max() < 1e-12
    assert set(rows["matched_by"]) <= {"same", ""} and rows["papers_setup"].all()
    summary = summarize(rows, CHANCES)
    assert set(summary["target"]) == panels_of(target)
    assert summary["mean_abs_difference"].max() < 1e-12
    assert summary["spearman"].dropna().tolist() == pytest.approx([1] * summary["spearman"].count())
    agreements = summary[AGREEMENTS].dropna()
    assert (agreements == 1).all(axis=None)
    errors = summary[(summary["quantity"] == "test_error") & (summary["checkpoint"] != "100")]
    assert len(agreements) == len(errors)
    assert (errors["critical_paper"] == errors["critical_ours"]).all()


def test_what_was_not_run_is_not_compared(tmp_path):
    papers_results.write_target(tmp_path, FIGURES["figure4"])
    setups = papers_results.setups(tmp_path)
    del setups["cifar10/resnet152"]
    rows = compare([FIGURES["figure4"]], tmp_path, setups, VALUES)
    assert set(rows["target"]) == {"4a", "4b", "4c"}
    nothing = compare(COMPARED, tmp_path, {}, VALUES)
    assert nothing.empty and list(nothing.columns) == COLUMNS
    assert summarize(nothing, {}).empty


def test_means_and_spreads_are_over_draws_and_seeds(tmp_path):
    write_fcn(tmp_path, {"layer2": {"rerand": [[0.5, 0.7], [0.7, 0.9]]}})
    rows = compare([FIGURES["figure1"]], tmp_path, fcn_setups(2), VALUES)
    row = rows[(rows["layer"] == "layer2") & (rows["checkpoint"] == "rerand")]
    row = row[row["target"] == "1a"].squeeze()
    assert row["ours"] == pytest.approx(0.7)
    assert row["std"] == pytest.approx(0.2 / 2**0.5)  # of 0.6 and 0.8
    assert row["std_draws"] == pytest.approx(0.2 / 2**0.5)  # of two draws 0.2 apart
    assert (row["seeds"], row["draws"]) == (2, 2)
    assert row["difference"] == pytest.approx(0.7 - 0.903)
    assert row["network"] == "mnist/fcn3x256"


# Panels of FCN 3x256 by hand. The paper's costs of re-initialization: 0.405, 0.061, 0.007, 0.046.

FULL = 0.1


def write_fcn(folder, errors: dict, full: float = FULL) -> None:
    """Write two seeds; what `errors` does not name is as the full model.

    errors
        Of a unit and source, a list of draws by seed.
    """
    units = [*(f"layer{number}" for number in range(1, 5)), "fullmodel"]
    for seed in range(2):
        rows = []
        for unit in units:
            for source in ("rerand", "0", "1", "5"):
                found = errors.get(unit, {}).get(source, [[full]] * 2)[seed]
                rows += [(unit, source, draw, error) for draw, error in enumerate(found)]
        path = folder / f"mnist/fcn3x256/seed{seed}/probe.csv"
        frame = pd.DataFrame(rows, columns=["unit", "source", "draw", "error"])
        write_csv(path, frame)
        write_csv(path.with_name("distances.csv"), frame.assign(dist_l2=0.0, dist_linf=0.0))


def fcn_setups(seeds: int = 2, **changes) -> dict:
    run = {"data": "digits5k", "classes": 10, "width": 1, "epochs": 5, "seeds": seeds}
    return {"mnist/fcn3x256": papers_results.Setup(**{**run, **changes})}


def reset_to_0(*errors: float) -> dict:
    return {f"layer{n}": {"0": [[error]] * 2} for n, error in enumerate(errors, 1)}


def panel_1a(folder, **changes) -> pd.DataFrame:
    """The summary of Figure 1a by checkpoint of the paper."""
    rows = compare([FIGURES["figure1"]], folder, fcn_setups(**changes), VALUES)
    return summarize(rows, CHANCES).query("target == '1a'").set_index("checkpoint")


def test_agreement_and_correlation_are_as_computed_by_hand(tmp_path):
    """Our costs are 0.05, 0.15, 0.3 and 0.5; the paper's ranks are 4, 3, 1 and 2."""
    write_fcn(tmp_path, reset_to_0(0.14, 0.22, 0.34, 0.5))
    summary = panel_1a(tmp_path)
    row = summary.loc["0"]
    # The squares of the differences of ranks are 9, 1, 4 and 4: 1 - 6 * 18 / (4 * 15)
    assert row["spearman"] == pytest.approx(-0.8)
    # Critical at 0.1: the paper's first, our last three; at 0.2 our last two; at 0.4 our last.
    assert row[AGREEMENTS].tolist() == [0, 0.25, 0.5]
    assert (row["critical_paper"], row["critical_ours"], row["values"]) == (1, 2, 4)


def test_opposite_results_agree_in_nothing(tmp_path):
    write_fcn(tmp_path, reset_to_0(0.1, 0.8, 0.9, 0.85))
    row = panel_1a(tmp_path).loc["0"]
    assert row["spearman"] == pytest.approx(-1)
    assert row[AGREEMENTS].tolist() == [0, 0, 0]


def test_order_is_not_compared_where_all_layers_are_of_one_kind(tmp_path):
    """The paper's layers are all at chance when re-randomized, all unharmed at checkpoint 1."""
    errors = {"layer1": 0.5, "layer2": 0.2, "layer3": 0.1, "layer4": 0.3}
    sources = ("rerand", "0", "1")
    write_fcn(tmp_path, {n: dict.fromkeys(sources, [[e]] * 2) for n, e in errors.items()})
    summary = panel_1a(tmp_path)
    assert summary.loc[["rerand", "1"], "spearman"].isna().all()
    assert summary.loc["0", "spearman"] == pytest.approx(0.8)
    assert summary.loc[["rerand", "1"], AGREEMENTS].notna().all(axis=None)
    assert summary.loc["100", AGREEMENTS].isna().all()


def test_levels_are_compared_in_the_papers_setup_only(tmp_path):
    write_fcn(tmp_path, reset_to_0(0.5, 0.2, 0.1, 0.3))
    assert panel_1a(tmp_path)["mean_abs_difference"].isna().all()
    same = panel_1a(tmp_path, data="mnist", epochs=100)
    expected = (0.5 - 0.377 + 0.2 - 0.075 + 0.1 - 0.027 + 0.3 - 0.061) / 4
    assert same.loc["0", "mean_abs_difference"] == pytest.approx(expected)
    for change in ({"data": "digits5k"}, {"width": 0.5}, {"epochs": 99}):
        setup = {"data": "mnist", "epochs": 100} | change
        assert not panel_1a(tmp_path, **setup)["papers_setup"].any()


def test_a_network_that_did_not_learn_agrees_with_nothing(tmp_path):
    write_fcn(tmp_path, reset_to_0(0.9, 0.9, 0.9, 0.9), full=0.88)
    summary = panel_1a(tmp_path)
    assert summary[AGREEMENTS].isna().all(axis=None) and summary["critical_ours"].isna().all()


def test_a_network_that_did_not_train_is_beside_the_papers_with_nothing(tmp_path):
    write_fcn(tmp_path, {}, full=math.nan)
    rows = compare([FIGURES["figure1"]], tmp_path, fcn_setups(), VALUES).query("target == '1a'")
    assert len(rows) == 20 and rows["paper"].notna().all() and rows["ours"].isna().all()
    assert set(rows["seeds"]) == {0}
    summary = summarize(rows, CHANCES)
    assert summary[[*AGREEMENTS, "spearman", "critical_ours"]].isna().all(axis=None)
    drawing = pictures.draw(FIGURES["figure1"], rows)
    assert [len(axes.collections) for axes in drawing.axes[:3]] == [1, 0, 0]
    assert {axes.texts[0].get_text() for axes in drawing.axes[1:3]} == {"did not train"}
    plt.close(drawing)


def test_joint_panels_have_two_groups_to_compare(tmp_path):
    papers_results.write_target(tmp_path, FIGURES["figure8"])
    rows = compare([FIGURES["figure8"]], tmp_path, papers_results.setups(tmp_path), VALUES)
    summary = summarize(rows, CHANCES)
    assert set(summary["values"]) == {2} and summary["spearman"].isna().all()
    initial = summary[summary["checkpoint"] == "0"].set_index("joint_group")["critical_paper"]
    assert initial.to_dict() == {"all_but_first": 2, "two_of_three": 2, "every_second": 1}


def test_costs_and_what_counts_as_trained():
    assert chance(10) == 0.9 and chance(1000) == 0.999
    assert cost(0.5, 0.1, 0.9) == pytest.approx(0.5) and cost(0.1, 0.1, 0.9) == 0
    assert is_trained(0.571, 0.9) and not is_trained(0.61, 0.9)


# Pictures


@pytest.mark.parametrize("name", ["figure6", "figure9", "figure14"])
def test_pictures_show_both_on_one_scale_and_the_difference(name, tmp_path):
    figure = FIGURES[name]
    papers_results.write_target(tmp_path, figure)
    rows = compare([figure], tmp_path, papers_results.setups(tmp_path, epochs=7), VALUES)
    rows["ours"] += 0.01 * (rows["layer"] == "stage0") + 0.02
    rows["difference"] = rows["ours"] - rows["paper"]
    drawing = pictures.draw(figure, rows)
    shown = {axes.get_title(): axes for axes in drawing.axes if axes.get_title()}
    assert len(shown) == 3 * len(figure.panels)
    for panel in figure.panels:
        of_panel = rows[rows["target"] == f"{figure.number}{panel.letter}"]
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
    plt.close(drawing)


def test_pictures_name_both_epochs_and_what_was_not_run(tmp_path):
    write_fcn(tmp_path, reset_to_0(0.5, 0.2, 0.1, 0.3))
    rows = compare([FIGURES["figure1"]], tmp_path, fcn_setups(), VALUES)
    drawing = pictures.draw(FIGURES["figure1"], rows.query("target == '1a'"))
    labels = [[label.get_text() for label in axes.get_xticklabels()] for axes in drawing.axes[:3]]
    assert labels[0] == ["rerand", "0", "1", "100"]
    assert labels[1] == ["rerand", "0", "1", "5"]
    assert labels[2] == ["rerand", "0", "1", "5 / 100"]
    assert all("not run" in axes.texts[0].get_text() for axes in drawing.axes[3:9])
    plt.close(drawing)


def test_pictures_compare_no_epochs_of_different_stages(tmp_path):
    figure = FIGURES["figure14"]
    papers_results.write_target(tmp_path, figure)
    setups = papers_results.setups(tmp_path, data="digits5k_as_cifar10")
    rows = compare([figure], tmp_path, setups, VALUES)
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
    (hatched,) = (patch for patch in difference.patches if patch.get_hatch())
    assert hatched.get_zorder() < mesh.get_zorder()
    style.lay_out(drawing, "made up")
    assert drawing.texts[-1].get_text() == f"made up; {pictures.NOTE}"
    plt.close(drawing)


# Commands


def run(command: str, folder, output, setups: dict, *arguments: str) -> subprocess.CompletedProcess:
    setups = {name: asdict(setup) for name, setup in setups.items()}
    for setup in setups.values():
        path = folder / "data" / f"{setup['data']}.json"
        jsonfile.save(path, {"classes": setup.pop("classes")})
    script = (
        "import runpy, sys\n"
        f"runpy.run_module('layer_robustness.commands.{command}', run_name='__main__')\n"
        "assert not {'torch', 'timm'} & set(sys.modules)\n"
    )
    options = ["--results", folder, "--data", folder / "data", "--output", output]
    options += ["--paper", ROOT / "resources/paper", "--setups", json.dumps(setups)]
    return subprocess.run(
        [sys.executable, "-c", script, *arguments, *map(str, options)],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )


def test_the_commands_write_their_files_without_torch(tmp_path):
    """Only what was run: Figure 1, of one network."""
    write_fcn(tmp_path, reset_to_0(0.5, 0.2, 0.1, 0.3))
    output = tmp_path / "out"
    ended = run("comparison", tmp_path, output, fcn_setups())
    assert ended.returncode == 0, ended.stderr
    written = pd.read_csv(output / "comparison.csv", dtype={"checkpoint": str})
    assert set(written["target"]) == {"1a", "1b", "1c"}
    assert set(written["data"]) == {"digits5k"} and not written["papers_setup"].any()
    panels = pd.read_csv(output / "comparison_panels.csv")
    assert set(panels["target"]) == {"1a", "1b", "1c"}
    drawn = run(
        "comparison_figure", tmp_path, output, fcn_setups(), "figure1", "--small-print", "made up"
    )
    assert drawn.returncode == 0, drawn.stderr
    assert {path.name for path in output.iterdir()} == {
        *("comparison.csv", "comparison_panels.csv"),
        *("comparison_figure1.pdf", "comparison_figure1.png"),
    }


def test_a_preset_is_described_in_a_line():
    setups = fcn_setups() | {"mnist/fcn5x256": papers_results.Setup("digits5k", 10, 1, 30, 5)}
    assert describe("quick", setups) == (
        "quick preset: mnist = digits5k (width 1, 5/30 epochs, seeds: 2/5)."
    )

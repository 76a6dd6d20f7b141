"""The tables' numbers are the results', and what is read is what the CSV says."""

import math
from collections.abc import Mapping, Sequence

import pandas as pd
import pytest

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.manifest import TrainingData
from layer_robustness.experiments.names import parse_network
from layer_robustness.experiments.results import Results, Setup
from layer_robustness.tables import cells, style
from layer_robustness.tables.registry import TABLES
from support.checkout import ROOT
from support.result_files import arguments_of, write_csv, write_manifest
from support.steps import ended

NOTHING = Results({})
DIGITS = {"cifar10": "digits5k_as_cifar10"}
TABLE1, TABLE2, TABLE3 = TABLES.values()


def made_up(
    errors_of: Mapping[str, Sequence[float]],
    blocks_of: Mapping[str, Sequence[Sequence[float]]] | None = None,
) -> Results:
    """Return results of networks whose last errors, and errors of blocks, are these by seed.

    The blocks are all but each stage's first, reset to 0. The last epoch is not in the last row of
    a training; all other errors of the probe are nonsense.
    """
    training = [
        {"network": name, "seed": seed, "epoch": epoch, "test_error": shown}
        for name, last in errors_of.items()
        for seed, error in enumerate(last)
        for epoch, shown in ((1, 0.9), (3, error), (2, 0.8))
    ]
    probe = []
    for name, by_seed in (blocks_of or {}).items():
        network = parse_network(name)
        for seed, found in enumerate(by_seed):
            blocks = dict(zip(members(network, "all_but_first"), found, strict=True))
            probe += [
                {"network": name, "seed": seed, "unit": unit, "source": source, "error": error}
                for unit in [*network.units, "fullmodel"]
                for source, error in (("rerand", 5), ("0", blocks.get(unit, 7)), ("4", 0.1))
            ]
    setups = {name: Setup("made_up", 10, 1, 3, len(last)) for name, last in errors_of.items()}
    frames = {"training.csv": training, "probe.csv": probe}
    return Results(setups, {name: pd.DataFrame(rows) for name, rows in frames.items()})


@pytest.fixture(scope="module")
def table1() -> pd.DataFrame:
    """Table 1 of two seeds of ResNet50, one of its treatments, and nothing else."""
    trained = {"cifar10/resnet50": [0.08, 0.10], "cifar10/resnet50+frozen": [0.1234]}
    trained["cifar10/resnet50+removed"] = [0.20, 0.26]
    # 12 blocks; of seed 0 half 0.10 and half 0.14 (mean 12, deviation 2), of seed 1 0.11 and 0.19
    blocks = {"cifar10/resnet50": [[0.10, 0.14] * 6, [0.11, 0.19] * 6]}
    return cells.collect(TABLE1, made_up(trained, blocks))


def of_network(frame: pd.DataFrame, architecture: str) -> pd.Series:
    return frame.set_index(["dataset", "architecture"]).loc[("cifar10", architecture)]


# Tables 1 and 3


@pytest.mark.parametrize("table", [TABLE1, TABLE3])
def test_rows_and_columns_are_the_papers(table):
    paper = pd.read_csv(ROOT / f"resources/paper/{table.name}.csv")
    frame = cells.collect(table, NOTHING)
    by = ["dataset", "architecture"]
    assert frame[by].equals(paper[by])
    without = [c for c in frame if c in paper or not c.endswith(("_std", "_did_not_train"))]
    assert without == list(paper)
    assert frame.drop(columns=by).isna().all(axis=None)
    assert table.caption.endswith(".")


def test_table1_is_as_computed_by_hand(table1):
    row = table1.iloc[0]
    assert row["full_error"] == pytest.approx(9)
    assert row["full_error_std"] == pytest.approx(2**0.5)  # of 8 and 10
    assert row["whole_layer_reinit_error_mean"] == pytest.approx((12 + 15) / 2)
    assert row["whole_layer_reinit_error_std"] == pytest.approx((2 + 4) / 2)
    assert row["frozen_error"] == pytest.approx(12.34)
    assert pd.isna(row["frozen_error_std"])
    # Without the blocks all depths are one network.
    assert table1["removed_error"].dropna().tolist() == pytest.approx([23, 23, 23])
    assert table1.loc[1, "full_error":"frozen_error_std"].isna().all()


def test_deviations_are_shown_where_there_are_any(table1):
    shown = cells.layout(TABLE1, table1, {})
    assert list(shown.columns[:2]) == ["data set", "network"]
    assert shown.iloc[0].tolist() == [
        *("CIFAR10", "ResNet50", "9.00 ± 1.41", "13.50 ± 3.00", "12.34", "23.00 ± 4.24"),
    ]
    assert shown.iloc[5].tolist() == ["ImageNet", "ResNet152", *["not run"] * 4]


def test_seeds_that_did_not_train_are_left_out_and_said_to_be():
    """Those that did are printed as precisely as in the paper."""
    trained = {"cifar10/vgg16": [0.0804, math.nan, 0.10], "cifar10/vgg16+wd": [math.nan]}
    trained["cifar10/vgg16+wd+bn"] = [0.4]
    frame = cells.collect(TABLE3, made_up(trained))
    row = of_network(frame, "vgg16")
    assert row["plain"] == pytest.approx(9.02) and pd.isna(row["wd"])
    assert row["wd_bn"] == pytest.approx(40) and frame["plain"].count() == 1
    assert row[["plain_did_not_train", "wd_did_not_train"]].tolist() == [1, 1]
    shown = cells.layout(TABLE3, frame, {}).set_index("network").loc["VGG16"]
    assert shown["plain"] == "9.0 ± 1.4 (1 seed did not train)"
    assert shown[["+wd", "+bn"]].tolist() == ["did not train", "not run"]
    blocks = {"cifar10/resnet50": [[0.10, 0.14] * 6, [math.nan] * 12]}
    results = made_up({"cifar10/resnet50": [0.08, math.nan]}, blocks)
    assert cells.layout(TABLE1, cells.collect(TABLE1, results), {}).iloc[0].tolist()[2:4] == [
        "8.00 (1 seed did not train)",
        "12.00 ± 2.00 (1 seed did not train)",
    ]


# How they are written


def test_markdown_has_every_cell_in_its_place(table1):
    shown = cells.layout(TABLE1, table1, {})
    text = style.markdown(TABLE1, shown, "made_up | 100%", {})
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert found[0] == list(shown.columns)
    assert found[2:] == shown.to_numpy().tolist()
    assert text.startswith("**Table 1.** Test error") and text.endswith("made_up | 100%\n")


def test_latex_has_every_cell_in_its_place_and_escapes_the_rest(table1):
    shown = cells.layout(TABLE1, table1, {})
    text = style.latex(TABLE1, shown, r"a_b & 50% of $x #1 {y} ~ ^ \z", {})
    rows = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    found = [row.removesuffix(" \\\\").split(" & ") for row in rows]
    assert found == [[c.replace("±", r"$\pm$") for c in row] for row in shown.to_numpy()]
    assert (
        r"a\_b \& 50\% of \$x \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
        in text
    )
    assert r"\caption{Test error (\%) of ResNets" in text
    assert text.count("\\begin{") == text.count("\\end{") == 2
    assert text.index("footnotesize") > text.index("\\end{tabular}")
    assert text.rstrip().endswith("\\end{table}")


def test_the_command_writes_the_same_files_twice(tmp_path, recipe):
    network = parse_network("cifar10/vgg16+wd")
    trained = made_up({str(network): [0.114, 0.116]}).frames["training.csv"]
    losses = trained.assign(train_loss=0.0, train_error=0.0)
    write_csv(tmp_path / str(network) / "training.csv", losses)
    data = TrainingData(DIGITS["cifar10"], "made up", (3, 14, 14), 10)
    write_manifest(tmp_path, network, recipe, data, seeds=2, draws=1)
    written = []
    for run in ("first", "second"):
        output = tmp_path / run / "table3.md"
        assert ended("table", "table3", *arguments_of(tmp_path), "--output", output) == ""
        written.append({path.suffix: path.read_text() for path in output.parent.iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {".csv", ".md", ".tex", ".html"}
    assert "| CIFAR10 (digits) | VGG16 " in written[0][".md"]
    for ending, underscore in ((".md", "_"), (".tex", r"\_"), (".html", "_")):
        small_print = "made_up preset, cifar10 = digits5k_as_cifar10, 4 epochs"
        assert small_print.replace("_", underscore) in written[0][ending]
    assert "CIFAR10 (digits) & VGG16 & not run & 11.5 $\\pm$ 0.1 &" in written[0][".tex"]
    assert "11.5 ± 0.1</td>" in written[0][".html"]
    row = of_network(pd.read_csv(tmp_path / "first/table3.csv"), "vgg16")
    assert row["wd"] == pytest.approx(11.5) and pd.isna(row["plain"])
    assert row["wd_std"] == pytest.approx(0.2 / 2**0.5)


# Table 2


def attacked(seeds: int = 1) -> Results:
    """Make up accuracies: of repetition 0 as computed from the row, of 1 and 2 beside it."""
    rows = [
        {
            **{"network": f"cifar10/resnet4^{stages}", "seed": seed, "s": s or None},
            **{"attack": attack, "repetition": repetition},
            "accuracy": stages / 10 + s / 100 + place / 1000 + aside,
        }
        for stages, replaced in ((2, (0, 1, 2)), (4, (0, 1, 2, 4)))
        for seed in range(seeds)
        for s in replaced
        for place, attack in enumerate(["clean", "fgsm", "pgd", "pgd_eot"][: 4 if s else 3])
        for repetition, aside in enumerate((0, -0.002, 0.002 + 0.003 * seed))
    ]
    setups = {row["network"]: Setup("cifar10", 10, 1, 100, seeds) for row in rows}
    return Results(setups, {"adversarial.csv": pd.DataFrame(rows)})


def test_table2_has_the_papers_rows_and_columns_and_one_attack_more():
    paper = pd.read_csv(ROOT / "resources/paper/table2.csv", dtype={"r": "Int64", "s": "Int64"})
    frame = cells.collect(TABLE2, NOTHING)
    by = ["architecture", "configuration", "r", "s"]
    assert frame[by].equals(paper[by])
    ours = [c for c in frame if not c.endswith("_did_not_train")]
    assert ours == [*paper, "pgd_eot_mean", "pgd_eot_std"]
    assert frame.drop(columns=by).isna().all(axis=None)
    assert set(cells.layout(TABLE2, frame, {})["PGD"]) == {"not run"}
    assert "EoT" in TABLE2.caption


def test_table2_is_as_computed_by_hand():
    frame = cells.collect(TABLE2, attacked())
    row = frame.query("architecture == '4^4' and s == 2").iloc[0]
    means = [row[f"{attack}_mean"] for attack in ("clean", "fgsm", "pgd", "pgd_eot")]
    assert means == pytest.approx([42, 42.1, 42.2, 42.3])
    assert row["fgsm_std"] == pytest.approx(0.2)
    baseline = frame.query("architecture == '4^2' and configuration == 'baseline'").iloc[0]
    assert baseline["clean_mean"] == pytest.approx(20)
    assert baseline["pgd_eot_mean"] == baseline["pgd_mean"] == pytest.approx(20.2)
    shown = cells.layout(TABLE2, frame, {})
    assert shown.iloc[0].tolist() == [
        *("ResNet4^2", "baseline", "", "", "20.00 ± 0.20", "20.10 ± 0.20"),
        *("20.20 ± 0.20", "20.20 ± 0.20"),
    ]
    assert shown.iloc[6].tolist()[:5] == ["ResNet4^4", "stochastic", "4", "4", "44.00 ± 0.20"]


def test_table2_is_a_mean_over_seeds():
    """Its deviation is over the repetitions, averaged over seeds."""
    frame = cells.collect(TABLE2, attacked(seeds=2))
    deviations = [0.2, pd.Series([0, -0.2, 0.5]).std()]
    assert frame.loc[0, "clean_mean"] == pytest.approx((20 + 20.1) / 2)
    assert frame.loc[0, "clean_std"] == pytest.approx(sum(deviations) / 2)


def test_table2_says_which_networks_did_not_train():
    results = attacked()
    frame = results.frames["adversarial.csv"]
    frame.loc[frame["network"] == "cifar10/resnet4^2", "accuracy"] = math.nan
    shown = cells.layout(TABLE2, cells.collect(TABLE2, results), {})
    assert set(shown.loc[:2, "no attack":].to_numpy().flat) == {"did not train"}
    assert shown.loc[6, "no attack"] == "44.00 ± 0.20"


def test_table2_is_written_like_the_others():
    shown = cells.layout(TABLE2, cells.collect(TABLE2, attacked()), DIGITS)
    markdown = style.markdown(TABLE2, shown, "", DIGITS)
    assert "| ResNet4^2 | stochastic      | 4   | 1   |" in markdown
    assert "|:----------|:----------------|:----|:----|-" in markdown
    latex = style.latex(TABLE2, shown, "", DIGITS)
    assert "\\begin{tabular}{llllrrrr}" in latex
    assert "ResNet4\\textasciicircum{}4 & stochastic & 4 & 2 & 42.00 $\\pm$ 0.20 &" in latex
    for text in (markdown, latex):
        assert "under attack, on CIFAR10 (digits), of" in text

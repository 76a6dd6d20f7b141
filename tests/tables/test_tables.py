"""The tables' numbers are the results', and what is read is what the CSV says."""

import json
import math
import subprocess
import sys

import pandas as pd
import pytest

from layer_robustness.commands.table import write
from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import parse_network
from layer_robustness.planning.imports import source_files
from layer_robustness.tables import TABLES, adversarial, errors, style
from support.checkout import ENVIRONMENT, ROOT
from support.result_files import read_csv, write_csv


def write_training(results, name: str, *last_errors: float) -> dict[str, int]:
    """Write a training curve for each seed, its last epoch not in the last row."""
    for seed, error in enumerate(last_errors):
        path = results / name / f"seed{seed}/training.csv"
        write_csv(path, pd.DataFrame({"epoch": [1, 3, 2], "test_error": [0.9, error, 0.8]}))
    return {name: len(last_errors)}


def write_probe(results, name: str, *by_seed: list[float]) -> None:
    """Write the errors of the blocks but each stage's first, reset to 0; all else is nonsense."""
    network = parse_network(name)
    blocks = members(network, "all_but_first")
    for seed, block_errors in enumerate(by_seed):
        found = dict(zip(blocks, block_errors, strict=True))
        rows = [
            {"unit": unit, "source": source, "draw": 0, "error": error}
            for unit in [*network.units, "fullmodel"]
            for source, error in [("rerand", 5), ("0", found.get(unit, 7)), ("1", 6), ("4", 0.1)]
        ]
        path = results / name / f"seed{seed}/probe.csv"
        write_csv(path, pd.DataFrame(rows))


@pytest.fixture
def table1(tmp_path):
    """Table 1 of two seeds of ResNet50, one of its treatments, and nothing else."""
    seeds = write_training(tmp_path, "cifar10/resnet50", 0.08, 0.10)
    # 12 blocks; of seed 0 half 0.10 and half 0.14 (mean 12, deviation 2), of seed 1 0.11 and 0.19
    write_probe(tmp_path, "cifar10/resnet50", [0.10, 0.14] * 6, [0.11, 0.19] * 6)
    seeds |= write_training(tmp_path, "cifar10/resnet50+frozen", 0.1234)
    seeds |= write_training(tmp_path, "cifar10/resnet50+removed", 0.20, 0.26)
    return TABLES["table1"], errors.collect(TABLES["table1"], tmp_path, seeds)


@pytest.mark.parametrize("name", ["table1", "table3"])
def test_rows_and_columns_are_the_papers(name, tmp_path):
    paper = pd.read_csv(ROOT / f"resources/paper/{name}.csv")
    frame = errors.collect(TABLES[name], tmp_path, {})
    by = ["dataset", "architecture"]
    assert frame[by].equals(paper[by])
    without = [c for c in frame if c in paper or not c.endswith(("_std", "_did_not_train"))]
    assert without == list(paper)
    assert frame.drop(columns=by).isna().all(axis=None)
    assert TABLES[name].caption.endswith(".")


def test_a_table_says_which_results_it_needs():
    table = TABLES["table1"]
    assert len(table.networks) == len(set(table.networks)) == 2 * (3 + 3 + 1)
    needs = {(str(network), file) for network, file in table.needs}
    assert ("imagenet/resnet152", "probe.csv") in needs
    assert ("imagenet/resnet152", "training.csv") in needs
    assert ("cifar10/resnet101+frozen", "training.csv") in needs
    assert ("cifar10/resnet50+removed", "training.csv") in needs
    assert not any("resnet101+removed" in name for name, _ in needs)
    assert len(needs) == len(table.needs) == 2 * (3 * 2 + 3 + 1)
    assert {file for _, file in TABLES["table3"].needs} == {"training.csv"}
    assert len(TABLES["table3"].networks) == 14 * 4


def test_table1_is_as_computed_by_hand(table1):
    _, frame = table1
    row = frame.iloc[0]
    assert row["full_error"] == pytest.approx(9)
    assert row["full_error_std"] == pytest.approx(2**0.5)  # of 8 and 10
    assert row["whole_layer_reinit_error_mean"] == pytest.approx((12 + 15) / 2)
    assert row["whole_layer_reinit_error_std"] == pytest.approx((2 + 4) / 2)
    assert row["frozen_error"] == pytest.approx(12.34)
    assert pd.isna(row["frozen_error_std"])
    # Without the blocks all depths are one network.
    assert frame["removed_error"].dropna().tolist() == pytest.approx([23, 23, 23])
    assert frame.loc[1, "full_error":"frozen_error_std"].isna().all()


def test_table3_has_a_variant_in_each_column(tmp_path):
    seeds = {}
    for number, variant in enumerate(("", "+wd", "+bn", "+wd+bn"), 1):
        seeds |= write_training(tmp_path, f"cifar10/vgg19{variant}", number / 10)
    frame = errors.collect(TABLES["table3"], tmp_path, seeds)
    row = frame.set_index(["dataset", "architecture"]).loc[("cifar10", "vgg19")]
    assert row[["plain", "wd", "bn", "wd_bn"]].tolist() == pytest.approx([10, 20, 30, 40])
    assert frame["plain"].count() == 1


def test_deviations_are_shown_where_there_are_any(table1):
    table, frame = table1
    shown = errors.layout(table, frame)
    assert list(shown.columns[:2]) == ["data set", "network"]
    assert shown.iloc[0].tolist() == [
        *("CIFAR10", "ResNet50", "9.00 ± 1.41", "13.50 ± 3.00", "12.34", "23.00 ± 4.24"),
    ]
    assert shown.iloc[5].tolist() == ["ImageNet", "ResNet152", *["not run"] * 4]


def test_stand_ins_are_named_in_every_form_of_a_table(tmp_path):
    sources = {"cifar10": "digits5k_as_cifar10"}
    first, second = TABLES["table1"], TABLES["table2"]
    shown = errors.layout(first, errors.collect(first, tmp_path, {}), sources=sources)
    assert shown["data set"].tolist() == ["CIFAR10 (digits)"] * 3 + ["ImageNet"] * 3
    assert "CIFAR10 (digits) & ResNet50 &" in style.latex(first, shown, "", sources=sources)
    frame = adversarial.collect(second, tmp_path, {})
    shown = adversarial.layout(second, frame, sources=sources)
    for write_form in (style.markdown, style.latex):
        text = write_form(second, shown, "", sources=sources)
        assert "under attack, on CIFAR10 (digits), of" in text


def test_one_seed_has_the_deviation_over_blocks_only(tmp_path):
    seeds = write_training(tmp_path, "cifar10/resnet50", 0.08)
    write_probe(tmp_path, "cifar10/resnet50", [0.10, 0.14] * 6)
    shown = errors.layout(TABLES["table1"], errors.collect(TABLES["table1"], tmp_path, seeds))
    assert shown.iloc[0].tolist()[2:] == ["8.00", "12.00 ± 2.00", "not run", "not run"]


def test_table3_is_printed_as_precisely_as_in_the_paper(tmp_path):
    seeds = write_training(tmp_path, "cifar10/resnet18", 0.1036)
    table = TABLES["table3"]
    assert errors.layout(table, errors.collect(table, tmp_path, seeds)).loc[0, "plain"] == "10.4"


def test_seeds_that_did_not_train_are_left_out_and_said_to_be(tmp_path):
    seeds = write_training(tmp_path, "cifar10/vgg16", 0.08, math.nan, 0.10)
    seeds |= write_training(tmp_path, "cifar10/vgg16+wd", math.nan)
    frame = errors.collect(TABLES["table3"], tmp_path, seeds)
    row = frame.set_index(["dataset", "architecture"]).loc[("cifar10", "vgg16")]
    assert row["plain"] == pytest.approx(9) and pd.isna(row["wd"])
    assert row[["plain_did_not_train", "wd_did_not_train"]].tolist() == [1, 1]
    shown = errors.layout(TABLES["table3"], frame).set_index("network").loc["VGG16"]
    assert shown["plain"] == "9.0 ± 1.4 (1 seed did not train)"
    assert shown[["+wd", "+bn"]].tolist() == ["did not train", "not run"]


def test_blocks_of_seeds_that_did_not_train_are_left_out(tmp_path):
    seeds = write_training(tmp_path, "cifar10/resnet50", 0.08, math.nan)
    write_probe(tmp_path, "cifar10/resnet50", [0.10, 0.14] * 6, [math.nan] * 12)
    table = TABLES["table1"]
    shown = errors.layout(table, errors.collect(table, tmp_path, seeds))
    assert shown.iloc[0].tolist()[2:4] == [
        "8.00 (1 seed did not train)",
        "12.00 ± 2.00 (1 seed did not train)",
    ]


def test_markdown_has_every_cell_in_its_place(table1):
    table, frame = table1
    shown = errors.layout(table, frame)
    text = style.markdown(table, shown, "made_up | 100%")
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert cells[0] == list(shown.columns)
    assert cells[2:] == shown.to_numpy().tolist()
    assert text.startswith("**Table 1.** Test error") and text.endswith("made_up | 100%\n")


def test_latex_has_every_cell_in_its_place_and_escapes_the_rest(table1):
    table, frame = table1
    shown = errors.layout(table, frame)
    text = style.latex(table, shown, r"a_b & 50% of $x #1 {y} ~ ^ \z")
    rows = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    cells = [row.removesuffix(" \\\\").split(" & ") for row in rows]
    assert cells == [[c.replace("±", r"$\pm$") for c in row] for row in shown.to_numpy()]
    assert (
        r"a\_b \& 50\% of \$x \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
        in text
    )
    assert r"\caption{Test error (\%) of ResNets" in text
    assert text.count("\\begin{") == text.count("\\end{") == 2
    assert text.index("footnotesize") > text.index("\\end{tabular}")
    assert text.rstrip().endswith("\\end{table}")


def test_the_command_writes_the_same_three_files_twice_without_torch(tmp_path):
    seeds = write_training(tmp_path / "results", "cifar10/vgg16+wd", 0.114, 0.116)
    script = (
        "import runpy, sys\n"
        "runpy.run_module('layer_robustness.commands.table', run_name='__main__')\n"
        "assert not {'torch', 'timm'} & set(sys.modules)\n"
    )
    written = []
    for run in ("first", "second"):
        arguments = [
            *("table3", "--results", str(tmp_path / "results"), "--output", str(tmp_path / run)),
            *("--seeds", json.dumps(seeds), "--small-print", "made up"),
        ]
        command = [sys.executable, "-c", script, *arguments]
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
        written.append({path.name: path.read_bytes() for path in (tmp_path / run).iterdir()})
    assert written[0] == written[1]
    assert set(written[0]) == {"table3.csv", "table3.md", "table3.tex"}
    assert "11.5 ± 0.1" in written[0]["table3.md"].decode()
    assert "11.5 $\\pm$ 0.1" in written[0]["table3.tex"].decode()
    frame = pd.read_csv(tmp_path / "first/table3.csv").set_index("architecture")
    assert frame.loc["vgg16", "wd"] == pytest.approx(11.5)
    assert frame.loc["vgg16", "wd_std"] == pytest.approx(0.2 / 2**0.5)
    assert pd.isna(frame.loc["vgg16", "plain"])


def write_adversarial(results, seeds: int = 1) -> dict[str, int]:
    """Write made-up accuracies: of repetition 0 as computed from the row, of 1 and 2 beside it."""
    trained = {}
    for stages, replaced in ((2, (0, 1, 2)), (4, (0, 1, 2, 4))):
        name = f"cifar10/resnet4^{stages}"
        for seed in range(seeds):
            rows = [
                {
                    "configuration": "stochastic" if s else "baseline",
                    "r": 4 if s else "",
                    "s": s or "",
                    "attack": attack,
                    "repetition": repetition,
                    "accuracy": stages / 10 + s / 100 + place / 1000 + aside,
                }
                for s in replaced
                for place, attack in enumerate(["clean", "fgsm", "pgd", "pgd_eot"][: 4 if s else 3])
                for repetition, aside in enumerate((0, -0.002, 0.002 + 0.003 * seed))
            ]
            path = results / name / f"seed{seed}/adversarial.csv"
            write_csv(path, pd.DataFrame(rows))
        trained[name] = seeds
    return trained


def test_table2_has_the_papers_rows_and_columns_and_one_attack_more(tmp_path):
    paper = pd.read_csv(ROOT / "resources/paper/table2.csv", dtype={"r": "Int64", "s": "Int64"})
    frame = adversarial.collect(TABLES["table2"], tmp_path, {})
    by = ["architecture", "configuration", "r", "s"]
    assert frame[by].equals(paper[by])
    assert [c for c in frame if not c.endswith("_did_not_train")] == [
        *paper,
        "pgd_eot_mean",
        "pgd_eot_std",
    ]
    assert frame.drop(columns=by).isna().all(axis=None)
    assert set(adversarial.layout(TABLES["table2"], frame)["PGD"]) == {"not run"}
    needed = {f"cifar10/resnet4^{stages}" for stages in (2, 4)}
    assert {str(network) for network in TABLES["table2"].networks} == needed
    assert {file for _, file in TABLES["table2"].needs} == {"adversarial.csv"}
    assert "EoT" in TABLES["table2"].caption


def test_table2_is_as_computed_by_hand(tmp_path):
    table = TABLES["table2"]
    frame = adversarial.collect(table, tmp_path, write_adversarial(tmp_path))
    row = frame.query("architecture == '4^4' and s == 2").iloc[0]
    means = [row[f"{attack}_mean"] for attack in ("clean", "fgsm", "pgd", "pgd_eot")]
    assert means == pytest.approx([42, 42.1, 42.2, 42.3])
    assert row["fgsm_std"] == pytest.approx(0.2)
    baseline = frame.query("architecture == '4^2' and configuration == 'baseline'").iloc[0]
    assert baseline["clean_mean"] == pytest.approx(20)
    assert baseline["pgd_eot_mean"] == baseline["pgd_mean"] == pytest.approx(20.2)
    shown = adversarial.layout(table, frame)
    assert shown.iloc[0].tolist() == [
        *("ResNet4^2", "baseline", "", "", "20.00 ± 0.20", "20.10 ± 0.20"),
        *("20.20 ± 0.20", "20.20 ± 0.20"),
    ]
    assert shown.iloc[6].tolist()[:5] == ["ResNet4^4", "stochastic", "4", "4", "44.00 ± 0.20"]


def test_table2_is_a_mean_over_seeds(tmp_path):
    """Its deviation is over the repetitions, averaged over seeds."""
    frame = adversarial.collect(TABLES["table2"], tmp_path, write_adversarial(tmp_path, seeds=2))
    deviations = [0.2, pd.Series([0, -0.2, 0.5]).std()]
    assert frame.loc[0, "clean_mean"] == pytest.approx((20 + 20.1) / 2)
    assert frame.loc[0, "clean_std"] == pytest.approx(sum(deviations) / 2)


def test_table2_says_which_networks_did_not_train(tmp_path):
    seeds = write_adversarial(tmp_path)
    path = tmp_path / "cifar10/resnet4^2/seed0/adversarial.csv"
    write_csv(path, read_csv(path).assign(accuracy=math.nan))
    table = TABLES["table2"]
    shown = adversarial.layout(table, adversarial.collect(table, tmp_path, seeds))
    assert set(shown.loc[:2, "no attack":].to_numpy().flat) == {"did not train"}
    assert shown.loc[6, "no attack"] == "44.00 ± 0.20"


def test_table2_is_written_like_the_others(tmp_path):
    table = TABLES["table2"]
    seeds = write_adversarial(tmp_path)
    write(table, adversarial.collect(table, tmp_path, seeds), tmp_path, "made up")
    markdown = (tmp_path / "table2.md").read_text()
    assert "| ResNet4^2 | stochastic      | 4   | 1   |" in markdown
    assert "|:----------|:----------------|:----|:----|-" in markdown
    latex = (tmp_path / "table2.tex").read_text()
    assert "\\begin{tabular}{llllrrrr}" in latex
    assert "ResNet4\\textasciicircum{}4 & stochastic & 4 & 2 & 42.00 $\\pm$ 0.20 &" in latex
    csv = (tmp_path / "table2.csv").read_text().splitlines()
    assert csv[1].startswith("4^2,baseline,,,20.0") and csv[7].startswith("4^4,stochastic,4,4,")


def test_no_table_imports_torch():
    for path in source_files("commands.table"):
        text = (ROOT / path).read_text()
        assert "import torch" not in text and "import timm" not in text

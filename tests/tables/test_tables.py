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
BY = ["dataset", "architecture", "configuration", "r", "s"]  # what tells rows apart


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


@pytest.mark.parametrize("table", TABLES.values(), ids=TABLES)
def test_rows_and_columns_are_the_papers(table):
    paper = pd.read_csv(ROOT / f"resources/paper/{table.name}.csv")
    frame = cells.collect(table, NOTHING)
    labels = [name for name in BY if name in paper]
    assert frame[labels].equals(paper[labels].astype(frame[labels].dtypes))
    assert [column for column in frame if column in paper] == list(paper)
    assert frame.drop(columns=labels).isna().all(axis=None)
    shown = cells.layout(table, frame, {})
    assert set(shown[[column.title for column in table.columns]].to_numpy().flat) == {"not run"}


# Tables 1 and 3


def test_table1_is_as_computed_by_hand(table1):
    row = table1.iloc[0]
    assert row["full_error_std"] == pytest.approx(2**0.5)  # of 8 and 10
    assert row["whole_layer_reinit_error_mean"] == pytest.approx((12 + 15) / 2)
    assert row["whole_layer_reinit_error_std"] == pytest.approx((2 + 4) / 2)
    # Without the blocks all depths are one network.
    assert table1["removed_error"].dropna().tolist() == pytest.approx([23, 23, 23])
    assert table1.loc[1, "full_error":"frozen_error_std"].isna().all()
    shown = cells.layout(TABLE1, table1, {})
    assert list(shown.columns[:2]) == ["data set", "network"]
    assert shown.iloc[0].tolist() == [
        *("CIFAR10", "ResNet50", "9.00 ± 1.41", "13.50 ± 3.00", "12.34", "23.00 ± 4.24"),
    ]
    assert shown.iloc[5].tolist() == ["ImageNet", "ResNet152", *["not run"] * 4]


def test_seeds_that_did_not_train_are_left_out_and_said_to_be():
    """Those that did are printed as precisely as in the paper."""
    trained = {"cifar10/vgg16": [0.0804, math.nan, 0.10], "cifar10/vgg16+wd": [math.nan]}
    shown = cells.layout(TABLE3, cells.collect(TABLE3, made_up(trained)), {})
    row = shown.set_index("network").loc["VGG16"]
    assert row["plain"] == "9.0 ± 1.4 (1 seed did not train)"
    assert row[["+wd", "+bn"]].tolist() == ["did not train", "not run"]
    blocks = {"cifar10/resnet50": [[0.10, 0.14] * 6, [math.nan] * 12]}
    results = made_up({"cifar10/resnet50": [0.08, math.nan]}, blocks)
    assert cells.layout(TABLE1, cells.collect(TABLE1, results), {}).iloc[0].tolist()[2:4] == [
        "8.00 (1 seed did not train)",
        "12.00 ± 2.00 (1 seed did not train)",
    ]


# Table 2


def test_table2_is_as_computed_by_hand():
    """A mean over seeds; its deviation is over the repetitions, averaged over seeds."""
    shown = cells.layout(TABLE2, cells.collect(TABLE2, attacked()), {})
    assert shown.iloc[0].tolist() == [
        *("ResNet4^2", "baseline", "", "", "20.00 ± 0.20", "20.10 ± 0.20"),
        *("20.20 ± 0.20", "20.20 ± 0.20"),
    ]
    assert shown.iloc[5].tolist() == [
        *("ResNet4^4", "stochastic", "4", "2", "42.00 ± 0.20", "42.10 ± 0.20"),
        *("42.20 ± 0.20", "42.30 ± 0.20"),
    ]
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


# How they are written


@pytest.fixture(params=[TABLE1, TABLE2], ids=["table1", "table2"])
def shown(request, table1) -> tuple:
    """A table, and as it is read."""
    table = request.param
    frame = table1 if table is TABLE1 else cells.collect(table, attacked())
    return table, cells.layout(table, frame, DIGITS)


def test_markdown_has_every_cell_in_its_place(shown):
    table, frame = shown
    text = style.markdown(table, frame, "made_up | 100%", DIGITS)
    lines = [line for line in text.splitlines() if line.startswith("|")]
    found = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert found[0] == list(frame.columns)
    assert found[2:] == frame.to_numpy().tolist()
    rights = [rule.endswith(":") for rule in found[1]]
    assert rights == [name in [c.title for c in table.columns] for name in frame]
    heading = table.title.replace("on CIFAR10", "on CIFAR10 (digits)")
    assert text.startswith(f"**Table {table.number}.** {heading}.")
    assert text.endswith("made_up | 100%\n")


def test_latex_has_every_cell_in_its_place_and_escapes_the_rest(shown):
    table, frame = shown
    text = style.latex(table, frame, r"a_b & 50% of $x #1 {y} ~ ^ \z", DIGITS)
    rows = text.partition("\\midrule\n")[2].partition("\\bottomrule")[0].splitlines()
    found = [row.removesuffix(" \\\\").split(" & ") for row in rows]
    escaped = frame.map(lambda c: c.replace("±", r"$\pm$").replace("^", r"\textasciicircum{}"))
    assert found == escaped.to_numpy().tolist()
    assert (
        r"a\_b \& 50\% of \$x \#1 \{y\} \textasciitilde{} \textasciicircum{} \textbackslash{}z"
        in text
    )
    title = table.title.replace("on CIFAR10", "on CIFAR10 (digits)").replace("%", r"\%")
    assert rf"\caption{{{title}" in text
    assert rf"\begin{{tabular}}{{{'l' * (len(frame.columns) - 4)}rrrr}}" in text
    assert text.count("\\begin{") == text.count("\\end{") == 2
    assert text.index("footnotesize") > text.index("\\end{tabular}")
    assert text.rstrip().endswith("\\end{table}")


def test_the_command_writes_its_files(tmp_path, recipe):
    network = parse_network("cifar10/vgg16+wd")
    trained = made_up({str(network): [0.114, 0.116]}).frames["training.csv"]
    losses = trained.assign(train_loss=0.0, train_error=0.0)
    write_csv(tmp_path / str(network) / "training.csv", losses)
    data = TrainingData(DIGITS["cifar10"], "made up", (3, 14, 14), 10)
    write_manifest(tmp_path, network, recipe, data, seeds=2, draws=1)
    output = tmp_path / "out/table3.md"
    assert ended("table", "table3", *arguments_of(tmp_path), "--output", output) == ""
    written = {path.suffix: path.read_text() for path in output.parent.iterdir()}
    assert set(written) == {".csv", ".md", ".tex", ".html"}
    assert "cifar10,vgg16,,,,11.5," in written[".csv"]
    assert "CIFAR10 (digits) & VGG16 & not run & 11.5 $\\pm$ 0.1 &" in written[".tex"]
    small_print = "made_up preset, cifar10 = digits5k_as_cifar10, 4 epochs"
    assert small_print.replace("_", r"\_") in written[".tex"]
    for text in (written[".md"], written[".html"]):
        assert "CIFAR10 (digits)" in text and "11.5 ± 0.1" in text and small_print in text

"""Figures of networks beyond the paper, from made-up probes whose numbers are known."""

import importlib
import math

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from layer_robustness.commands import network_figure
from layer_robustness.figures import style
from layer_robustness.figures.beyond.registry import FIGURES, figures
from layer_robustness.figures.beyond.rows import barriers as heights
from layer_robustness.figures.beyond.rows import cells, costs, on_line, states
from layer_robustness.networks.result import Result
from layer_robustness.runtime.errors import InputError
from support.steps import ended

# Of four classes chance is 0.75, so that 0.35 of error over the trained network's costs a half.
TRAINED = {"unit": "trained", "source": "trained", "draw": 0, "error": 0.05, "loss": 0.1}
STEM = [
    ("rerand", 0, 0.75, 2.0),
    ("rerand", 1, 0.55, 1.8),
    ("interpolate:0.75", 0, 0.10, 0.4),
    ("reinit", 0, 0.40, 1.1),
    ("interpolate:0.25", 0, 0.35, 1.25),
    ("epoch10", 0, 0.05, 0.1),
    ("epoch2", 0, 0.20, 0.3),
    ("zero", 0, 0.75, 9.0),
]


def probe(*, without: tuple[str, ...] = (), error: float = 0.05) -> pd.DataFrame:
    """Rows of a stem, and of a head whose resets cost nothing."""
    kept = [row for row in STEM if row[0] not in without]
    rows = [("stem", *row) for row in kept] + [("head", *row[:2], 0.05, 0.1) for row in kept]
    resets = pd.DataFrame(rows, columns=list(TRAINED))
    frame = pd.concat([pd.DataFrame([TRAINED | {"error": error}]), resets])
    return frame.assign(images=100, classes=4)


@pytest.fixture
def read(tmp_path):
    """Write a made-up probe.csv, and read it."""

    def written(**given) -> Result:
        probe(**given).to_csv(tmp_path / "probe.csv", index=False)
        return Result.read(tmp_path / "probe.csv")

    yield written
    plt.close("all")


def draw(name: str, results: dict[str, Result]):
    """Draw a figure: the drawing, the texts of each axes, and what was drawn."""
    figure = figures(results)[name]
    kind = importlib.import_module(f"layer_robustness.figures.beyond.{figure.kind}")
    drawing, frame = kind.draw(figure, results)
    return drawing, [[t.get_text() for t in axes.texts] for axes in drawing.axes], frame


def test_means_over_draws_stand_in_the_order_asked_for(read):
    result = read()
    found = cells(result, "error", ["reinit", "rerand"])
    assert found.to_dict("list") == {
        "unit": ["stem", "stem", "head", "head"],
        "source": ["reinit", "rerand"] * 2,
        "value": [0.40, pytest.approx(0.65), 0.05, 0.05],
        "draws": [1, 2, 1, 2],
    }
    assert costs(result, ["reinit"])["value"].tolist() == pytest.approx([0.5, 0])
    sources = result.resets["source"].unique()
    assert list(states(sources).items()) == [
        *(("rerand", "rerand"), ("reinit", "0"), ("epoch2", "2"), ("epoch10", "10"))
    ]


def test_the_barrier_is_the_most_over_the_straight_line(read):
    """From 1.1 to 0.1 the straight line is at 0.85 and 0.35: the loss is 0.4 and 0.05 above."""
    losses = on_line(read(), "loss")
    assert list(losses.columns) == [0, 0.25, 0.75, 1]
    assert losses.loc["stem"].tolist() == [1.1, 1.25, 0.4, 0.1]
    assert heights(losses).to_dict() == {"stem": pytest.approx(0.4), "head": pytest.approx(0)}
    below = pd.DataFrame({0.0: [1.0], 0.5: [0.2], 1.0: [0.0]})
    assert heights(below).tolist() == [0]  # no barrier is negative


def test_what_is_drawn_is_what_was_measured(read):
    results = dict.fromkeys(("resnet50bn", "mine"), read())
    drawing, _, frame = draw("figureB1", results)
    axes = drawing.axes[0]
    assert axes.collections[0].get_array().round(3).tolist() == [[0.65, 0.4, 0.2, 0.05], [0.05] * 4]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["rerand", "0", "2", "10"]
    assert set(frame["entry"]) == {"resnet50bn"}
    drawing, texts, frame = draw("networks", results)
    assert [own.count("1 of 2") for own in texts[:2]] == [2, 2]
    assert set(frame["entry"]) == {"resnet50bn", "mine"}
    drawing, *_ = draw("figureB3", results)
    assert [bar.get_width() for bar in drawing.axes[1].patches] == pytest.approx([0.4, 0])
    drawing, *_ = draw("figureB2", results)
    zeroed = drawing.axes[0].collections[1].get_offsets()
    assert zeroed.tolist() == [[pytest.approx(1), 0], [pytest.approx(0), 1]]
    drawing, *_ = draw("networks/mine", results)
    titles = ["fresh or earlier", "controls", "on the line to trained"]
    assert [axes.get_title() for axes in drawing.axes[:3]] == titles


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("figureB1", "not measured:\nrerand, reinit"),
        ("figureB2", "not measured:\nzero, rerand, rescaled, shuffle"),
        ("figureB3", "not measured:\nreinit, interpolate:a"),
        ("networks", "not measured"),
    ],
)
def test_what_was_not_measured_is_said(read, name, words):
    results = {"vit": read(without=("reinit", "rerand", "zero", "epoch2", "epoch10"))}
    _, texts, frame = draw(name, results)
    assert words in texts[0] and frame.empty


@pytest.mark.parametrize("name", ["figureB2", "networks"])
@pytest.mark.parametrize("error", [0.7, 0.75, 0.8])  # 0.75 is chance: a cost would be 0 / 0
def test_a_network_that_learned_nothing_has_no_costs(read, name, error):
    _, texts, frame = draw(name, {"vit": read(error=error)})
    assert "learned too little" in texts[0] and frame.empty


@pytest.mark.parametrize("name", [*FIGURES, "networks", "networks/vit"])
def test_a_network_that_diverged_is_said_to_have_not_trained(tmp_path, name):
    path = tmp_path / "probe.csv"
    probe().assign(error=math.nan, loss=math.nan).to_csv(path, index=False)
    results = {"vit": Result.read(path)}
    drawing, texts, _ = draw(name, results)
    assert "did not train" in texts[0]
    assert not any("nan" in axes.get_title() for axes in drawing.axes)
    style.save(drawing, tmp_path / "drawn", "")
    assert results["vit"].summary() == "The network did not train: its loss was not finite.\n"


def test_figures_are_those_of_the_entries_that_there_are():
    assert figures([]) == {}
    assert set(figures(["mine"])) == {"networks", "networks/mine"}
    assert figures(["vit", "convnext"])["figureB2"].rows == (("vit",), ("convnext",))
    assert {*FIGURES, "networks", "networks/vit"} == set(figures(["vit"]))


def test_the_command_writes_all_files_of_a_figure(tmp_path):
    path = tmp_path / "mine.v2/probe.csv"
    path.parent.mkdir()
    probe().to_csv(path, index=False)
    output = tmp_path / "out/mine.v2.pdf"
    given = ("--results", path, "--preset", "made up", "--output", output)
    assert not ended("network_figure", "networks/mine.v2", *given)
    endings = (".pdf", ".png", ".csv", ".md")
    assert {path.name for path in output.parent.iterdir()} == {f"mine.v2{e}" for e in endings}
    assert output.stat().st_size > 5000
    caption = output.with_suffix(".md").read_text()
    assert caption.startswith("**mine.v2.** Robustness of the units of mine.v2.")
    assert "made up preset; test images: 100; draws: 2" in caption
    assert "Critical to reinit, 1 of 2 units: stem (0.50)." in caption
    assert "interpolate" not in caption
    drawn = pd.read_csv(output.with_suffix(".csv"))
    assert list(drawn.columns) == list(network_figure.COLUMNS)
    assert len(drawn) == 14 and set(drawn["entry"]) == {"mine.v2"}
    assert "expected one of networks/mine.v2, networks" in ended(
        "network_figure", "figureB1", *given
    )


def test_a_file_that_is_no_probe_is_one_line(tmp_path):
    path = tmp_path / "probe.csv"
    probe().iloc[1:].to_csv(path, index=False)
    with pytest.raises(InputError, match="is not of a probe of a network: delete"):
        Result.read(path)
    probe().drop(columns="classes").to_csv(path, index=False)
    with pytest.raises(InputError, match="has no column classes"):
        Result.read(path)

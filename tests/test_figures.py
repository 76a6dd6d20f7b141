"""What is drawn is what the CSV says, and the CSV is what the results say."""

import subprocess
import sys
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.container import BarContainer

from conftest import ROOT
from layer_robustness.figures import bars, heatmap, style
from layer_robustness.figures.collect import collect
from layer_robustness.figures.registry import FIGURES, Figure
from layer_robustness.groups import members
from layer_robustness.plan import Plan
from test_checkpoints import ENVIRONMENT

SOURCES = [("rerand", 0), ("rerand", 1), ("0", 0), ("1", 0), ("10", 0)]
SEEDS = 3


def write_results(results, figure: Figure) -> dict[str, int]:
    """Write made-up result files: every number tells where it comes from."""
    networks = [network for network in figure.networks if network.dataset == "mnist"]
    for network in networks:
        groups = {panel.group for panel in figure.panels if panel.group}
        units = [*network.units, "fullmodel", *groups, *(f"not {group}" for group in groups)]
        for seed in range(SEEDS):
            rows = [
                {
                    "unit": unit,
                    "source": source,
                    "draw": draw,
                    "error": 0.1 * position
                    + 0.01 * column
                    + 0.001 * seed
                    + network.fcn_shape[1] / 1e4,
                    "dist_l2": position + column + seed,
                    "dist_linf": 2 * position + column + seed,
                }
                for position, unit in enumerate(units)
                for column, (source, draw) in enumerate(SOURCES)
            ]
            folder = results / str(network.seed(seed))
            folder.mkdir(parents=True)
            for name in ("probe.csv", "joint.csv", "distances.csv"):
                pd.DataFrame(rows).to_csv(folder / name, index=False)
    return {str(network): SEEDS for network in networks}


@pytest.fixture(params=FIGURES)
def case(request, tmp_path):
    figure = FIGURES[request.param]
    seeds = write_results(tmp_path, figure)
    yield figure, collect(figure, tmp_path, seeds)
    plt.close("all")


def test_heatmap_cells_are_means_over_draws_and_seeds(tmp_path):
    figure = FIGURES["figure1"]
    frame = collect(figure, tmp_path, write_results(tmp_path, figure))
    cells = frame.set_index(["figure", "layer", "checkpoint"])
    assert list(cells.loc["1a"].index.unique("layer")) == [*figure.networks[0].units, "fullmodel"]
    cell = cells.loc[("1a", "layer3", "rerand")]
    # layer3 is at position 2; draws are columns 0 and 1; seeds 0, 1, 2
    assert cell["value"] == pytest.approx(0.2 + 0.005 + 0.001 + 0.0256)
    assert cell["std"] == pytest.approx(0.001)
    assert (cell["seeds"], cell["draws"]) == (3, 2)
    assert cells.loc[("1c", "layer2", "10"), "value"] == pytest.approx(2 + 4 + 1)


def test_joint_rows_show_the_group_and_the_rest(tmp_path):
    figure = FIGURES["figure8"]
    frame = collect(figure, tmp_path, write_results(tmp_path, figure))
    for panel in figure.panels:
        (network,) = panel.networks
        joint = pd.read_csv(tmp_path / str(network.seed(0)) / "joint.csv", dtype={"source": str})
        joint = joint.query("source == '0'").set_index("unit")["error"]
        cells = frame[frame["figure"] == f"8{panel.letter}"].query("checkpoint == '0'")
        assert list(cells["layer"]) == list(network.units)
        for layer, value in zip(cells["layer"], cells["value"], strict=True):
            inside = layer in members(network, panel.group)
            of_first_seed = joint[panel.group if inside else f"not {panel.group}"]
            assert value == pytest.approx(of_first_seed + 0.001)


def test_bars_leave_out_the_first_layer(tmp_path):
    figure = FIGURES["figure2"]
    frame = collect(figure, tmp_path, write_results(tmp_path, figure))
    bar = frame.set_index(["hidden_layers", "width"]).loc[(3, 64)]
    assert bar["reinit_error_mean"] == pytest.approx(0.2 + 0.02 + 0.001 + 0.0064)
    assert bar["full_error_mean"] == pytest.approx(0.4 + 0.04 + 0.001 + 0.0064)
    assert bar["reinit_error_std"] == pytest.approx(0.001)
    assert len(frame) == 12  # CIFAR10 has no source


def test_what_is_drawn_is_what_the_csv_says(case):
    figure, frame = case
    drawing = {"heatmap": heatmap, "bars": bars}[figure.kind].draw(figure, frame)
    for panel, axes in zip(figure.panels, drawing.axes, strict=False):
        rows = frame[frame["figure"] == f"{figure.number}{panel.letter}"]
        assert axes.get_title().startswith(f"({panel.letter})")
        if rows.empty:
            assert "not run" in axes.texts[0].get_text()
        elif figure.kind == "heatmap":
            compare_heatmap(axes, rows)
        else:
            compare_bars(axes, rows)


def compare_heatmap(axes, rows):
    layers = [label.get_text().removeprefix("*") for label in axes.get_yticklabels()]
    checkpoints = [label.get_text() for label in axes.get_xticklabels()]
    assert layers == list(rows["layer"].unique())
    assert checkpoints == list(rows["checkpoint"].unique())
    drawn = axes.collections[0].get_array().reshape(len(layers), len(checkpoints))
    value = rows.set_index(["layer", "checkpoint"])["value"]
    for row, layer in enumerate(layers):
        for column, checkpoint in enumerate(checkpoints):
            assert drawn[row, column] == value[layer, checkpoint]


def compare_bars(axes, rows):
    widths = [int(label.get_text()) for label in axes.get_xticklabels()]
    assert widths == sorted(rows["width"].unique())
    depths = [int(text.get_text().split()[0]) for text in axes.get_legend().get_texts()]
    expected = rows.set_index(["hidden_layers", "width"])
    drawn = [container for container in axes.containers if isinstance(container, BarContainer)]
    for depth, container in zip(depths, drawn, strict=True):
        whiskers = container.errorbar.lines[2][0].get_segments()
        for width, bar, whisker in zip(widths, container.patches, whiskers, strict=True):
            row = expected.loc[(depth, width)]
            assert abs(bar.get_x() + bar.get_width() / 2 - widths.index(width)) < 0.5
            assert bar.get_y() == pytest.approx(row["full_error_mean"])
            assert bar.get_y() + bar.get_height() == pytest.approx(row["reinit_error_mean"])
            assert np.ptp(whisker[:, 1]) == pytest.approx(2 * row["reinit_error_std"])


def test_the_small_print_says_what_was_computed_from_what(tmp_path):
    plan = Plan(yaml.safe_load((ROOT / "config/config.yaml").read_text()))
    figure = FIGURES["figure1"]
    small_print = plan.small_print(figure)
    for words in ("quick preset", "mnist = digits5k", "30 epochs", "seeds: 5", "rerand: 3"):
        assert words in small_print
    frame = collect(figure, tmp_path, write_results(tmp_path, figure))
    drawing = heatmap.draw(figure, frame)
    style.save(drawing, tmp_path / "figure1", small_print)
    assert small_print in [text.get_text() for text in drawing.texts]


def test_members_of_a_joint_group_are_starred_and_blue(tmp_path):
    figure = FIGURES["figure8"]
    drawing = heatmap.draw(figure, collect(figure, tmp_path, write_results(tmp_path, figure)))
    labels = {t.get_text(): t.get_color() for t in drawing.axes[2].get_yticklabels()}
    assert list(labels) == ["layer1", "*layer2", "layer3", "*layer4", "layer5", "*layer6"]
    assert labels["*layer2"] == heatmap.JOINT_BLUE and labels["layer1"] == "black"


def test_a_transposed_heatmap_has_its_units_below(tmp_path):
    figure = replace(FIGURES["figure8"], transposed=True)
    frame = collect(figure, tmp_path, write_results(tmp_path, figure))
    axes = heatmap.draw(figure, frame).axes[0]
    assert axes.get_xticklabels()[1].get_text() == "*layer2"
    cells = frame[frame["figure"] == "8a"].pivot(
        index="checkpoint", columns="layer", values="value"
    )
    drawn = axes.collections[0].get_array().reshape(cells.shape)
    np.testing.assert_array_equal(drawn, cells.loc[frame["checkpoint"].unique()])


def test_the_command_writes_the_same_bytes_twice_without_torch(tmp_path):
    figure = FIGURES["figure1"]
    seeds = write_results(tmp_path / "results", figure)
    script = (
        "import runpy, sys\n"
        "runpy.run_module('layer_robustness.commands.figure', run_name='__main__')\n"
        "assert 'torch' not in sys.modules\n"
    )
    written = []
    for run in ("first", "second"):
        arguments = [
            *("figure1", "--results", str(tmp_path / "results"), "--output", str(tmp_path / run)),
            *("--seeds", str(seeds).replace("'", '"'), "--small-print", "made up"),
        ]
        command = [sys.executable, "-c", script, *arguments]
        subprocess.run(command, env=ENVIRONMENT, check=True, capture_output=True)
        written.append({path.name: path.read_bytes() for path in (tmp_path / run).iterdir()})
    assert set(written[0]) == {"figure1.pdf", "figure1.png", "figure1.csv"}
    assert written[0] == written[1]

"""What is drawn is what the CSV says, and the CSV is what the results say."""

import itertools
import math
from dataclasses import replace
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import LogNorm
from matplotlib.container import BarContainer
from matplotlib.patches import FancyArrowPatch
from matplotlib.text import Text

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.results import Results, Setup
from layer_robustness.experiments.sweeps import SWEEPS
from layer_robustness.figures import bars, blocks, colours, heatmap, lines, style
from layer_robustness.figures.captions import caption, small_print
from layer_robustness.figures.collect import COLUMNS, cells, collect
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import DISTANCES, QUANTITIES, Sources, labelled
from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.comparison.values import HEATMAPS
from layer_robustness.tables.registry import TABLES
from support.checkout import ROOT
from support.result_files import NAMES, PAPERS_DATA, SOURCES, arguments_of, write_results
from support.steps import ended

KINDS = {"heatmap": heatmap, "bars": bars, "lines": lines, "blocks": blocks}
NOTHING = Results({})
DIGITS = {"mnist": "digits5k"}
LONG = "quick preset, cifar10 = digits5k_as_cifar10, width 1/8, 4 epochs; seeds: 1; " * 5


def collected(figure: Figure, folder, recipe) -> pd.DataFrame:
    if figure.kind == "blocks":
        return blocks.collect(figure)
    return collect(figure, write_results(folder, figure, recipe))


def draw(figure: Figure, frame: pd.DataFrame, sources: Sources = PAPERS_DATA):
    return KINDS[figure.kind].draw(figure, frame, sources, "panel")


@pytest.fixture(scope="module", params=FIGURES)
def case(request, tmp_path_factory, recipe):
    """A figure, its numbers and its drawing, small print and layout included."""
    figure = FIGURES[request.param]
    frame = collected(figure, tmp_path_factory.mktemp("results"), recipe)
    drawing = draw(figure, frame)
    style.lay_out(drawing, LONG)
    drawing.draw_without_rendering()
    return SimpleNamespace(figure=figure, frame=frame, drawing=drawing)


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


# The registry


def test_the_heatmaps_are_the_papers_panel_by_panel():
    paper = pd.read_csv(ROOT / "resources/paper/figure_heatmaps.csv", keep_default_na=False)
    by = ["figure", "dataset", "architecture", "variant", "joint_group", "quantity"]
    expected = {key: tuple(rows["layer"].unique()) for key, rows in paper.groupby(by, sort=False)}
    found = {}
    for figure in HEATMAPS.values():
        for panel in figure.panels:
            (network,) = panel.networks
            key = (panel.name, network.dataset, network.architecture, network.variant, panel.group)
            found[*key, panel.quantity] = panel.layers
    assert found == expected


def test_every_figure_is_there_and_its_rows_hold_its_panels():
    papers = [figure.number for figure in FIGURES.values() if figure.in_paper]
    assert papers == list(range(1, 19))
    for name, figure in FIGURES.items():
        assert name == figure.name
        assert sum(figure.rows) == len(figure.panels)
        assert figure.caption.endswith(".")
        if figure.in_paper:
            distances = figure.number in (1, 14, 15, 16, 17, 18)
            assert figure.caption.endswith(DISTANCES) == distances


# The numbers


def test_a_cell_is_a_mean_over_seeds_of_means_over_draws():
    """Three seeds of two draws; of a seed that diverged there are no numbers."""
    errors = [0.1, 0.3, 0.5, 0.5, 0.2, 0.2, math.nan, math.nan]
    frame = pd.DataFrame({"error": errors, "seed": np.arange(8) // 2, "draw": np.arange(8) % 2})
    (cell,) = cells(frame.assign(unit="layer1", source="rerand"), "error").to_dict("records")
    assert (cell["value"], cell["std"]) == pytest.approx((0.3, 0.03**0.5))  # of 0.2, 0.5, 0.2
    assert cell["std_draws"] == pytest.approx(0.2 / 2**0.5 / 3)
    assert (cell["seeds"], cell["did_not_train"], cell["draws"]) == (3, 1, 2)


def test_there_is_a_cell_for_each_layer_and_checkpoint_in_order(case):
    """That it has its number is seen where the paper's values are compared with themselves."""
    figure, frame = case.figure, case.frame
    assert tuple(frame.columns) == COLUMNS[figure.kind]
    for panel in figure.panels if figure.kind in ("heatmap", "lines") else ():
        (network,) = panel.networks
        rows = frame[frame["figure"] == panel.name]
        layers = [n for n in panel.layers if figure.kind == "heatmap" or n != "fullmodel"]
        sources = dict.fromkeys(source for source, _ in SOURCES[network.dataset])
        of_cells = list(itertools.product(layers, sources))
        assert list(zip(rows["layer"], rows["checkpoint"], strict=True)) == of_cells


@pytest.mark.parametrize("name", ["figure17", "figure18"])
def test_lines_are_the_cells_of_a_heatmap_without_the_full_model(name, tmp_path, recipe):
    figure = FIGURES[name]
    results = write_results(tmp_path, figure, recipe)
    found = collect(replace(figure, kind="heatmap"), results)
    layers = found[found["layer"] != "fullmodel"].reset_index(drop=True)
    pd.testing.assert_frame_equal(collect(figure, results), layers)


# The drawing


def test_what_is_drawn_is_what_the_csv_says(case):
    figure = case.figure
    compare = globals()[f"compare_{figure.kind}"]
    for panel, axes in zip(figure.panels, case.drawing.axes, strict=False):
        assert axes.get_title().startswith(f"({panel.letter})")
        rows = case.frame[case.frame["figure"] == panel.name]
        compare(figure, panel, axes, rows)


def names_of(labels) -> list[str]:
    return [label.get_text() for label in labels]


def compare_heatmap(figure, panel, axes, rows):
    down, across = names_of(axes.get_yticklabels()), names_of(axes.get_xticklabels())
    drawn = axes.collections[0].get_array().reshape(len(down), len(across))
    labels, checkpoints = (across, down) if figure.transposed else (down, across)
    drawn = drawn.T if figure.transposed else drawn
    inside = members(panel.networks[0], panel.group) if panel.group else ()
    layers = rows["layer"].unique()
    assert labels == [f"*{name}" if name in inside else name for name in layers]
    axis = axes.xaxis if figure.transposed else axes.yaxis
    for name, label in zip(layers, axis.get_ticklabels(), strict=True):
        assert label.get_color() == (colours.JOINT_GROUP if name in inside else "black")
    assert checkpoints == list(rows["checkpoint"].unique())
    assert axes.collections[0].colorbar.ax.get_ylabel() == QUANTITIES[panel.quantity]
    np.testing.assert_array_equal(drawn.flatten(), rows["value"])  # in the order of the rows


def compare_bars(figure, panel, axes, rows):
    said = axes.get_figure(root=False).get_supxlabel()
    assert "Lower end" in said and "Whisker" in said
    widths = [int(name) for name in names_of(axes.get_xticklabels())]
    assert widths == sorted(rows["width"].unique())
    depths = [int(text.split()[0]) for text in names_of(axes.get_legend().get_texts())]
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


def compare_lines(figure, panel, axes, rows):
    rerand, *epochs, final = rows["checkpoint"].unique()
    names = [f"final ({final})", rerand, *(f"re-init to {epoch}" for epoch in epochs)]
    (legend,) = axes.get_figure(root=False).legends
    assert names_of(legend.get_texts()) == names
    assert names_of(axes.get_xticklabels()) == list(panel.networks[0].units)
    colours = [line.get_color() for line in legend.get_lines()]
    drawn = {line.get_color(): line for line in axes.get_lines() if len(line.get_xdata())}
    assert len(drawn) == len(names)
    for colour, checkpoint in zip(colours, [final, rerand, *epochs], strict=True):
        of_line = rows[rows["checkpoint"] == checkpoint]
        np.testing.assert_array_equal(drawn[colour].get_xdata(), range(len(of_line)))
        np.testing.assert_array_equal(drawn[colour].get_ydata(), of_line["value"])


def compare_blocks(figure, panel, axes, rows):
    assert panel.unit in axes.get_title() and set(rows["unit"]) == {panel.unit}
    boxes = [(text.get_text(), np.array(text.get_position())) for text in axes.texts]
    label = dict(zip(rows["node"], rows["label"], strict=True))
    assert sorted(name for name, _ in boxes) == sorted(label.values())

    def at(point) -> str:
        return min(boxes, key=lambda box: abs(box[1] - point).sum())[0]

    arrows = [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]
    ends = [arrow._path_original.vertices[[0, -1]] for arrow in arrows]
    nodes = zip(rows["node"], rows["inputs"], strict=True)
    edges = [(label[source], label[node]) for node, inputs in nodes for source in inputs.split()]
    assert sorted(tuple(map(at, pair)) for pair in ends) == sorted(edges)


def test_names_can_be_read_and_nothing_leaves_the_page(case):
    page = case.drawing.bbox
    small_print = case.drawing.texts[-1]
    assert " ".join(small_print.get_text().split()) == LONG.strip()
    below = small_print.get_window_extent()
    assert page.x0 <= below.x0 and below.x1 <= page.x1 and page.y0 <= below.y0
    for axes in filter(lambda axes: axes.axison, case.drawing.axes):
        columns, rows = ticks(axes.xaxis), ticks(axes.yaxis)
        for label in [*columns, *rows, *filter(Text.get_text, [axes.title, axes.xaxis.label])]:
            assert label.get_fontsize() >= 5
            extent = label.get_window_extent()
            assert page.x0 <= extent.x0 and extent.x1 <= page.x1
            assert below.y1 <= extent.y0 and extent.y1 <= page.y1
        assert_apart([(t.y0, t.y1) for t in map(Text.get_window_extent, rows)])
        if not any(label.get_rotation() == 45 for label in columns):
            assert_apart([(t.x0, t.x1) for t in map(Text.get_window_extent, columns)])
    titles = [axes.title.get_window_extent() for axes in case.drawing.axes if axes.get_title()]
    assert not any(one.overlaps(other) for one, other in itertools.combinations(titles, 2))


def ticks(axis) -> list[Text]:
    """Labels of the ticks that are in view."""
    low, high = sorted(axis.get_view_interval())
    at = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=True)
    return [label for place, label in at if low <= place <= high]


def assert_apart(extents):
    for (_, end), (start, _) in itertools.pairwise(sorted(extents)):
        assert end <= start


# What was not run, or did not train


@pytest.mark.parametrize("name", ["figure2", "figure16", "figure18"])
def test_a_figure_of_nothing_says_why(name):
    figure = FIGURES[name]
    frame = collect(figure, NOTHING)
    assert frame.empty and tuple(frame.columns) == COLUMNS[figure.kind]
    drawing = draw(figure, frame)
    for panel, axes in zip(figure.panels, drawing.axes, strict=True):
        first, *others = panel.networks
        last = f" …\n{others[-1]}" if others else ""
        assert names_of(axes.texts) == [f"not run:\n{first}{last}"]


def test_bars_of_networks_that_were_not_run_are_gaps(tmp_path, recipe):
    """The sweep of widths has neither FCN 3x256 nor 5x256, and here one depth has one width."""
    figure = FIGURES["figure2"]
    results = write_results(tmp_path, figure, recipe)
    ran = [*map(str, SWEEPS["mnist/fcn_widths"]), "cifar10/fcn3x64"]
    frame = collect(figure, replace(results, setups={name: results.setups[name] for name in ran}))
    assert len(frame) == 11
    for axes, count in zip(draw(figure, frame).axes, (2, 11), strict=True):
        widths = [int(name) for name in names_of(axes.get_xticklabels())]
        assert widths == [16, 32, 64, 128, 256, 512]
        assert names_of(axes.texts) == [" not run"] * count
        low, high = axes.get_xlim()
        assert all(low < text.get_position()[0] < high for text in axes.texts)
        found = frame[frame["dataset"] == ("mnist" if count == 2 else "cifar10")]
        drawn = [(round(bar.get_x()), bar.get_height()) for bar in axes.patches]
        ends = zip(found["width"].map(widths.index), bar_lengths(found), strict=True)
        assert [bar for bar in drawn if not math.isnan(bar[1])] == list(ends)


def bar_lengths(bars: pd.DataFrame) -> pd.Series:
    return bars["reinit_error_mean"] - bars["full_error_mean"]


@pytest.mark.parametrize("name", ["figure2", "figure3", "figure18"])
def test_seeds_that_did_not_train_are_left_out_and_said_to_be(name, tmp_path, recipe):
    """One of the two seeds of the first network, and both of the second."""
    figure = FIGURES[name]
    results = write_results(tmp_path, figure, recipe)
    first, second, *_ = map(str, figure.networks)
    for frame in results.frames.values():
        diverged = (frame["network"] == first) & (frame["seed"] == 0)
        frame.loc[diverged | (frame["network"] == second), list(NAMES)] = math.nan
    frame = collect(figure, results)
    value = "reinit_error_mean" if figure.kind == "bars" else "value"
    assert {1, 2} <= set(frame["did_not_train"])
    assert (frame["did_not_train"] + frame["seeds"] == 2).all()
    assert (frame[value].isna() == (frame["seeds"] == 0)).all()
    drawing = draw(figure, frame)
    said = [text for axes in drawing.axes for text in [axes.get_title(), *names_of(axes.texts)]]
    partly = [text for text in said if "1 of 2 seeds did not train" in text]
    wholly = {"figure2": " 2 of 2 seeds did not train"}.get(name, "did not train")
    of_network = 3 if name == "figure18" else 1
    assert len(partly) == said.count(wholly) == of_network
    if figure.kind == "lines":  # a row of panels has a legend where something is drawn
        assert [len(row.legends) for row in drawing.subfigs] == [1, 0]


# What the data are


def test_a_text_names_the_images_that_stand_in_for_the_papers():
    sources = {"mnist": "fashion_mnist", "cifar10": "fashion_mnist_as_cifar10"}
    assert labelled("MNIST, CIFAR10 and ImageNet", sources) == (
        "MNIST (Fashion-MNIST), CIFAR10 (Fashion-MNIST) and ImageNet"
    )
    assert labelled("MNIST", {"mnist": "mnist"}) == "MNIST"
    assert labelled("ImageNet", {"imagenet": "my_photographs"}) == "ImageNet (my_photographs)"


def test_a_drawing_says_what_its_data_are():
    def drawn(name: str):
        return draw(FIGURES[name], collect(FIGURES[name], NOTHING), DIGITS)

    titles = [axes.get_title() for axes in drawn("figure2").axes]
    assert titles == ["(a) MNIST (digits)", "(b) CIFAR10"]
    joint = "Joint robustness of the layers of FCN 5x256 on MNIST (digits)"
    assert drawn("figure8").get_suptitle() == joint
    assert drawn("figure14").get_suptitle() == ""


def test_a_caption_has_number_title_text_and_small_print():
    assert caption(FIGURES["figure8"], "made up", DIGITS) == (
        "**Figure 8.** Joint robustness of the layers of FCN 5x256 on MNIST (digits). Test error "
        "of FCN 5x256 after a group of layers (starred, blue) is reset jointly, and after the "
        "remaining layers are.\n\nmade up\n"
    )
    assert caption(TABLES["table3"], "", {}).startswith("**Table 3.** Test error (%) with and")


def ran(width: float = 1, epochs: int = 30, **sources: str) -> Results:
    """Say that ResNet50, or FCN 3x256, was run on these sources."""
    setup = Setup("", 10, width, epochs, seeds=5, draws=3)
    of = {"mnist": "fcn3x256"}
    return Results(
        {f"{d}/{of.get(d, 'resnet50')}": replace(setup, data=s) for d, s in sources.items()}
    )


def test_the_small_print_says_what_was_computed_from_what():
    results = ran(mnist="digits5k")
    assert small_print(FIGURES["figure1"], "quick", results) == (
        "quick preset, mnist = digits5k, 30 epochs; seeds: 5, draws of rerand: 3 each; means are "
        "shown"
    )
    both = ran(width=0.125, cifar10="digits5k_as_cifar10", imagenet="mine")
    said = small_print(FIGURES["figure18"], "quick", both)
    assert "cifar10 = digits5k_as_cifar10, imagenet = mine, width 1/8, 30 epochs" in said
    assert not any(
        "rerand" in small_print(TABLES[name], "quick", both) for name in ("table1", "table3")
    )
    assert "imagenet" not in small_print(FIGURES["figure18"], "quick", ran(cifar10="cifar10"))
    assert small_print(FIGURES["figure5"], "paper", NOTHING) == "paper preset"
    assert "ResNet50" in small_print(FIGURES["figure7"], "paper", NOTHING)


def test_the_small_print_of_table2_says_how_strong_the_attacks_are():
    attacks = {"eps": 8.0, "step": 2.0, "steps": 20, "start": "random", "choice": "example"}
    attacks |= {"attack_choice": "fresh", "eot_draws": 20, "repetitions": 5, "test_examples": 1000}
    setups = {"cifar10/resnet4^2": Setup("cifar10", 10, 1, 100, 1)}

    def said(**changes: str) -> str:
        frames = {"adversarial.csv": pd.DataFrame([attacks | changes])}
        return small_print(TABLES["table2"], "paper", Results(setups, frames))

    for words in (
        *("cifar10 = cifar10, 100 epochs", "1000 test examples", "eps 8/255", "20 steps of 2/255"),
        *("a random start", "each example", "each step", "over 20 choices", "5 repetitions"),
    ):
        assert words in said()
    others = said(choice="batch", attack_choice="fixed", start="image")
    for words in ("each batch", "a whole attack", "from the image"):
        assert words in others


# Scales


@pytest.mark.parametrize(
    ("values", "logarithmic"),
    [
        ([0, 0, *[1] * 18, 2, 6], True),  # 18 of 20 that are not 0 are below a fifth of 6
        ([0, 0, *[1] * 17, 2, 2, 6], False),
        ([1] * 19 + [4.9], False),
        ([math.nan, *[1] * 19, 6], True),
        ([0, 0, 0], False),
    ],
)
def test_distances_have_a_logarithmic_scale_where_few_would_darken_the_rest(values, logarithmic):
    _, distance, _ = FIGURES["figure1"].panels
    norm = heatmap.scale(distance, np.array(values, float), "panel")
    assert isinstance(norm, LogNorm) == logarithmic
    assert norm.vmax == np.nanmax(values)
    if logarithmic:
        assert norm.vmin == 1 and norm(0.0) == norm(1.0) == 0 < norm(2.0) < norm(6.0) == 1


# The command


def run(name: str, folder, *options: object) -> str:
    output = folder / f"out/{name}.pdf"
    return ended("figure", name, *arguments_of(folder), "--output", output, *options)


def test_the_command_writes_its_files_side_by_side(tmp_path, recipe):
    figure, sources = FIGURES["figure4"], {"cifar10": "digits5k_as_cifar10"}
    results = write_results(tmp_path, figure, recipe, sources)
    assert run("figure4", tmp_path) == ""
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {f"figure4{ending}" for ending in (".pdf", ".png", ".csv", ".md")}
    written = pd.read_csv(tmp_path / "out/figure4.csv", keep_default_na=False)
    assert len(written) == len(collect(figure, results))
    text = (tmp_path / "out/figure4.md").read_text()
    assert text == caption(figure, small_print(figure, "made_up", results), sources)
    assert "on CIFAR10 (digits)" in text and "made_up preset" in text


@pytest.mark.parametrize("name", ["figure2", "figure14", "figure17"])
def test_errors_of_all_panels_share_a_scale_on_demand(name, tmp_path, recipe, monkeypatch):
    figure, saved = FIGURES[name], []
    write_results(tmp_path, figure, recipe)
    monkeypatch.setattr(style, "save", lambda drawing, *_: saved.append(drawing))
    assert run(name, tmp_path, "--error-scale", "shared") == ""
    (drawing,) = saved
    for panel, axes in zip(figure.panels, drawing.axes, strict=False):
        scale = axes.collections[0].get_clim() if figure.kind == "heatmap" else axes.get_ylim()
        assert (scale == (0, 1)) == (panel.quantity == "test_error")


@pytest.mark.parametrize("name", ["figure2", "figure7", "figure8", "figure17"])
def test_drawn_twice_the_bytes_are_equal(name, tmp_path, recipe):
    figure = FIGURES[name]
    frame = collected(figure, tmp_path, recipe)
    for time in ("first", "second"):
        style.save(draw(figure, frame), tmp_path / time, "made up")
    for suffix in (".pdf", ".png"):
        first, second = (tmp_path / f"{time}{suffix}" for time in ("first", "second"))
        assert first.read_bytes() == second.read_bytes()

"""What the explorer shows is what the figures' CSVs and the comparison say, in a real browser."""

import itertools
import json
import math
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from selenium.webdriver import ActionChains, Keys

from layer_robustness.explorer.panels import CELL, panels
from layer_robustness.figures.captions import small_print
from layer_robustness.figures.collect import collect
from layer_robustness.figures.names import DISTANCES
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.values import HEATMAPS, compare
from support.browser import DESKTOP, PHONE, colours
from support.checkout import ROOT
from support.result_files import (
    SEEDS,
    arguments_of,
    read_csv,
    results_in,
    write_csv,
    write_results,
)
from support.steps import ended

PAPER = ROOT / "resources/paper"
LABELS = dict.fromkeys(("figure", "target", "layer", "checkpoint", "our_checkpoint"), str)
MODES = ("ours", "paper", "difference")
# Rows and columns, a seed that did not train, a joint group, a distance of a variant, and two that
# were not run.
PANELS = ("1a", "4a", "4b", "6a", "15e", "13a", "3a")
RUN = ("figure1", "figure4", "figure6", "figure11", "figure15")
SOURCES = {"mnist": "digits5k", "cifar10": "digits5k_as_cifar10"}
# Seeds of Figures 4a and 4c.
DIVERGED = {"cifar10/resnet18": [1], "cifar10/resnet101": [0, 1]}


def write_training(folder: Path, network: str) -> None:
    """Write a history; a seed that diverged ends with epoch 2, and has no errors there."""
    rows = [
        {"network": network, "seed": seed, "epoch": epoch, "train_loss": 2 / epoch + seed}
        | {"train_error": 0.8 / epoch, "test_error": 0.9 / epoch + seed / 100}
        for seed in range(SEEDS)
        for epoch in range(1, 5)
    ]
    history = pd.DataFrame(rows)
    diverged = history["seed"].isin(DIVERGED.get(network, []))
    history = history[~diverged | (history["epoch"] <= 2)]
    values = ["train_loss", "train_error", "test_error"]
    history.loc[diverged & (history["epoch"] == 2), values] = math.inf, math.nan, math.nan
    write_csv(folder / network / "training.csv", history)


def diverge(folder: Path, network: str) -> None:
    """Have nothing be measured of the seeds that diverged."""
    path = folder / network / "probe.csv"
    frame = read_csv(path)
    frame.loc[frame["seed"].isin(DIVERGED[network]), "error"] = math.nan
    write_csv(path, frame)


@pytest.fixture(scope="module")
def made(tmp_path_factory, recipe) -> SimpleNamespace:
    """The page of made-up results of some figures, and what their CSV files would be."""
    folder = tmp_path_factory.mktemp("explorer")
    for name in RUN:
        write_results(folder, HEATMAPS[name], recipe, SOURCES)
    for network in DIVERGED:
        diverge(folder, network)
    results = results_in(folder)
    for network in results.setups:
        write_training(folder, network)
    made = (*arguments_of(folder), "--paper", PAPER)
    assert ended("explorer", *made, "--output", folder / "explorer.html") == ""
    page = folder / "explorer.html"
    embedded = re.search(r'id="data">(.*?)</script>', page.read_text(), re.S)[1]
    return SimpleNamespace(
        page=page,
        data=json.loads(embedded),
        results=results,
        ours=pd.concat(filter(len, (collect(f, results) for f in HEATMAPS.values()))),
        comparison=compare(HEATMAPS.values(), results, paper.load(PAPER)),
        paper=pd.read_csv(PAPER / "figure_heatmaps.csv", dtype=LABELS),
    )


def expected(made, panel: str) -> dict[str, dict[tuple[str, str], float]]:
    """Values of a panel in each mode, by layer and source."""
    ours = made.ours[made.ours["figure"] == panel].dropna(subset="value")
    theirs = made.paper[made.paper["figure"] == panel]
    both = made.comparison[made.comparison["target"] == panel]
    both = both[both["matched_by"] != "position"]  # other stages of training
    both = both.dropna(subset="ours")
    pairs = [
        own if own == papers else f"{own} / {papers}"
        for own, papers in zip(both["our_checkpoint"], both["checkpoint"], strict=True)
    ]
    return {
        "ours": by_cell(ours["layer"], ours["checkpoint"], ours["value"]),
        "paper": by_cell(theirs["layer"], theirs["checkpoint"], theirs["value"]),
        "difference": by_cell(both["layer"], pairs, both["difference"]),
    }


def by_cell(layers, sources, values) -> dict[tuple[str, str], float]:
    return dict(zip(zip(layers, sources, strict=True), values, strict=True))


# What is in the page


def test_every_cell_is_the_csvs_cell(made):
    panels = {panel["name"]: panel for panel in made.data["panels"]}
    assert set(panels) == set(made.paper["figure"])
    for name, panel in panels.items():
        cells = pd.DataFrame(panel["cells"], columns=made.data["columns"], dtype=object)
        wanted = expected(made, name)
        for key, checkpoint in (("ours", "our_checkpoint"), ("paper", "checkpoint")):
            rows = cells[cells[key].notna()]
            found = by_cell(rows["layer"], rows[checkpoint], rows[key])
            assert found == pytest.approx(wanted[key], abs=1e-12)
        rows = cells[cells["difference"].notna()]
        assert len(rows) == len(wanted["difference"])
        apart = (rows["ours"] - rows["paper"]).astype(float)
        assert rows["difference"].to_numpy(float) == pytest.approx(apart.to_numpy())
        own = made.ours[made.ours["figure"] == name]
        assert sorted(cells["std"].dropna()) == pytest.approx(sorted(own["std"].dropna()))


def test_a_network_that_did_not_train_has_the_papers_cells_alone(made):
    frames = {name: frame.copy() for name, frame in made.results.frames.items()}
    of_network = frames["probe.csv"]["network"] == "cifar10/vgg16"
    frames["probe.csv"].loc[of_network, "error"] = math.nan
    found = panels(replace(made.results, frames=frames), paper.load(PAPER))
    (panel,) = (panel for panel in found if panel["name"] == "11a")
    assert panel["absent"] == "did not train"
    cells = pd.DataFrame(panel["cells"], columns=CELL)
    assert cells["ours"].isna().all() and cells["paper"].notna().sum() == 17 * 5


def test_curves_are_means_over_seeds(made):
    curve = made.data["training"]["cifar10/vgg16"]
    assert curve["epoch"] == [1, 2, 3, 4]
    assert curve["test_error"] == pytest.approx([0.9 / n + 0.005 for n in (1, 2, 3, 4)])
    assert curve["train_loss_std"] == pytest.approx([math.sqrt(0.5)] * 4)


def test_curves_leave_out_seeds_that_diverged(made):
    curve = made.data["training"]["cifar10/resnet18"]
    assert curve["test_error"] == pytest.approx([0.9 / n for n in (1, 2, 3, 4)])
    assert curve["left_out"] == "1 of 2 seeds did not train"
    assert made.data["training"]["cifar10/resnet101"]["epoch"] == []


def test_the_page_can_be_sent_and_says_what_all_was_computed_from(made):
    assert made.page.stat().st_size < 10e6
    data = {panel["dataset"]: panel["data"] for panel in made.data["panels"]}
    stand_ins = {"MNIST": "MNIST (digits)", "CIFAR10": "CIFAR10 (digits)"}
    assert data == stand_ins | {"ImageNet": "ImageNet"}
    assert made.data["small_prints"] == {
        name: small_print(figure, "made_up", made.results) for name, figure in HEATMAPS.items()
    }


# What is shown


def choose(browser, panel: str, mode: str) -> None:
    """By the page's own controls."""
    for name, value in {"figure": panel[:-1], "panel": panel}.items():
        option = f"#{name} option[value='{value}']"
        browser.driver.find_element("css selector", option).click()
    browser.driver.find_element("css selector", f"input[value={mode}]").click()


def text(browser, name: str) -> str:
    """What stands in an element."""
    return browser.evaluate(f"element('{name}').textContent")


def drawn(browser) -> dict[tuple[str, str], tuple[float, list[str]]]:
    """The cells of the heatmap: by their place across and down, the colour's number and words."""
    trace = "(({x, y, z, customdata}) => [x, y, z, customdata])(element('heatmap').data[0])"
    columns, rows, values, words = browser.evaluate(trace)
    places = itertools.product(enumerate(columns), enumerate(rows))
    return {(across, down): (values[y][x], words[y][x]) for (x, across), (y, down) in places}


# Upper and lower end of each name beside the rows.
NAMES = """[...document.querySelectorAll('#heatmap .ytick text')].map((text) => {
    const box = text.getBoundingClientRect();
    return [box.top, box.bottom];
}).sort((a, b) => a[0] - b[0])"""


def number(text: str) -> float | None:
    return None if text == "none" else float(text.replace("−", "-"))


@pytest.mark.browser
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_what_is_drawn_is_what_the_csvs_say_and_fits(made, browser, size):
    browser.open(made.page, size)
    for panel in PANELS:
        wanted = expected(made, panel)
        for mode in MODES:
            choose(browser, panel, mode)
            assert f"Figure {panel}," in text(browser, "heading")
            reading = text(browser, "reading")
            assert (DISTANCES in reading) == (panel == "15e")
            assert ("1 of 2 seeds did not train" in reading) == (panel == "4a" and mode != "paper")
            if not wanted[mode]:
                assert browser.evaluate("element('heatmap').hidden")
                assert "not run: " in text(browser, "missing")
                continue
            assert browser.evaluate("element('missing').hidden")
            assert browser.evaluate("document.documentElement.scrollWidth") <= size[0]
            names = browser.evaluate(NAMES)  # no name of a layer lies on its neighbour
            assert all(one[1] <= other[0] + 2 for one, other in itertools.pairwise(names))
            found = drawn(browser)
            if size == PHONE or not HEATMAPS[f"figure{panel[:-1]}"].transposed:
                found = {(down, across): cell for (across, down), cell in found.items()}
            assert {key: value for key, (value, _) in found.items()} == pytest.approx(wanted[mode])
            for (layer, source), (value, told) in found.items():
                named, reset_to, ours, spread, papers, difference = told
                assert (spread == "none") == (ours == "none")
                assert named == layer and source in reset_to
                words = dict(zip(MODES, map(number, (ours, papers, difference)), strict=True))
                assert words[mode] == pytest.approx(value, rel=1e-3)
                if words["difference"] is not None:
                    assert words["difference"] == pytest.approx(
                        words["ours"] - words["paper"], abs=2e-3 * abs(words["ours"])
                    )
    choose(browser, "1a", "ours")
    assert colours(browser.picture()) > 100
    assert browser.errors() == []
    assert browser.requests() <= {"file", "data", "blob", "about"}


@pytest.mark.browser
def test_pointing_at_a_cell_tells_its_numbers(made, browser):
    browser.open(made.page)
    choose(browser, "1a", "ours")
    plot = browser.driver.find_element("css selector", "#heatmap .nsewdrag")
    ActionChains(browser.driver).move_to_element(plot).pause(0.3).perform()
    told = browser.evaluate("document.querySelector('.hoverlayer').textContent")
    layer, source, value = re.search(r"(layer\d), put back to (\w+)ours: ([\d.]+)", told).groups()
    wanted = expected(made, "1a")["ours"][layer, source]
    assert float(value) == pytest.approx(wanted, rel=1e-3)
    assert "over 2 seeds" in told and "paper: " in told


@pytest.mark.browser
def test_stand_ins_are_named_but_not_with_the_papers_values(made, browser):
    browser.open(made.page)
    for mode, data in {"ours": "MNIST (digits)", "paper": "MNIST"}.items():
        choose(browser, "1a", mode)
        assert text(browser, "heading").startswith(f"Figure 1a, FCN 3x256 on {data}: ")
        assert f"FCN 3x256 on {data}. " in text(browser, "reading")
        assert "Test error" in text(browser, "heatmap")  # the colour bar's


@pytest.mark.browser
def test_the_training_curve_is_that_of_the_network(made, browser):
    browser.open(made.page)
    choose(browser, "11b", "ours")
    assert text(browser, "training-heading") == ("Training of VGG16 +wd on CIFAR10 (digits)")
    shown = browser.evaluate("element('training').data.map(({name, y}) => [name, y])")
    curve = made.data["training"]["cifar10/vgg16+wd"]
    assert shown == [
        ["training error", curve["train_error"]],
        ["test error", curve["test_error"]],
        ["training loss", curve["train_loss"]],
    ]
    assert not browser.evaluate("element('training').hidden")
    choose(browser, "4a", "ours")
    assert text(browser, "training-reading").endswith("over seeds. 1 of 2 seeds did not train.")
    for panel, words in {"4c": "did not train", "5a": "was not trained here"}.items():
        choose(browser, panel, "paper")
        assert browser.evaluate("element('training').hidden")
        assert not browser.evaluate("element('training-missing').hidden")
        assert text(browser, "training-missing") == f"This network {words}."


@pytest.mark.browser
def test_everything_can_be_reached_by_keys_and_has_a_name(made, browser):
    browser.open(made.page)
    assert browser.evaluate(
        "[...document.querySelectorAll('select, input')].every((control) => control.labels.length)"
    )
    reached = []
    for _ in range(3):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        reached.append(browser.evaluate("document.activeElement.id || document.activeElement.name"))
    ActionChains(browser.driver).send_keys(Keys.ARROW_RIGHT).perform()
    assert reached == ["figure", "panel", "mode"]
    assert text(browser, "heading") == ("Figure 1a, FCN 3x256 on MNIST: the paper’s")
    rows = browser.evaluate("document.querySelectorAll('tbody tr').length")
    assert rows == len(next(p for p in made.data["panels"] if p["name"] == "1a")["cells"])

"""Snakemake's report: what it lists can be opened, alone, in a real browser."""

import json
import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pandas as pd
import pytest

from layer_robustness.figures.registry import FIGURES
from layer_robustness.paper.comparison.values import HEATMAPS
from layer_robustness.report import pages
from layer_robustness.report.labels import labels
from layer_robustness.tables.registry import TABLES
from support.browser import colours
from support.plans import config_of
from support.snakemake_runs import configured, jobs, snakemake, with_imagenet

SOURCES = config_of()["datasets"]
SECTION = FIGURES["figure8"].section
SHOWN = "paper_figures/tiny"
TARGETS = [f"{SHOWN}/{name}.png" for name in ("figure8", "comparison_figure8", "figure13")]


@pytest.fixture(scope="module")
def reported(built, tmp_path_factory) -> Path:
    """A checkout with the report of a few figures, of which one has no data and says so."""
    folder = tmp_path_factory.mktemp("report") / "checkout"
    shutil.copytree(built, folder, copy_function=shutil.copy2)
    config = configured(folder, with_imagenet(None))
    assert jobs(snakemake(folder, config=config, targets=TARGETS)) == {
        "comparison_figure",
        "figure",
    }
    assert len(pd.read_csv(folder / SHOWN / "figure13.csv")) == 0
    ended = snakemake(folder, "--report", "report.html", config=config, targets=TARGETS)
    assert ended.returncode == 0, ended.stderr
    assert "downloading" not in ended.stderr  # what Snakemake says where a part of it is missing
    return folder


def listed() -> dict[str, list[dict[str, str]]]:
    """Labels of everything in each section of the paper."""
    sections = defaultdict(list)
    for target in [*FIGURES.values(), *TABLES.values()]:
        sections[target.section].append(labels(target, "quick", SOURCES))
        if target.name in HEATMAPS:
            sections[target.section].append(labels(target, "quick", SOURCES, "with the paper's"))
    return sections


def test_no_label_hides_a_result():
    """The report's own rule: a label is a toggle where it alone halves what is listed.

    With a toggle, everything has to be there for both of its values: an entry without is broken.
    """
    for section, rows in listed().items():
        assert max(Counter(tuple(row.values()) for row in rows).values()) == 1, section
        counts = {label: Counter(row[label] for row in rows) for label in list(rows[0])[1:]}
        halving = [
            label
            for label, found in counts.items()
            if len(found) == 2 and set(found.values()) == {len(rows) / 2}
        ]
        if len(halving) == 1:
            rest = Counter(
                tuple(value for label, value in row.items() if label != halving[0]) for row in rows
            )
            assert set(rest.values()) == {2}, section


def test_the_report_lists_a_figure_by_its_data_and_networks():
    sources = {"cifar10": "digits5k_as_cifar10", "imagenet": "imagenet"}
    assert labels(FIGURES["figure4"], "quick", sources) == {
        "figure": "Figure  4",
        "data set": "CIFAR10 (digits)",
        "architecture": "ResNet18, 50, 101, 152",
        "preset": "quick",
        "shown": "ours",
    }
    of_table = labels(TABLES["table3"], "quick", sources)
    assert of_table["data set"] == "CIFAR10 (digits), ImageNet"
    assert of_table["architecture"] == "ResNet, VGG"


def test_figures_are_listed_in_order():
    names = [labels(figure, "quick", SOURCES)["figure"] for figure in FIGURES.values()]
    assert sorted(names) == names


def test_a_page_shows_a_table_and_no_foreign_html():
    page = pages.of_markdown("t", "**Table 1.** a\n\n| a | b |\n|---|---|\n| 1 | <script>x |\n")
    assert "<td>1</td>" in page and "<strong>Table 1.</strong>" in page
    assert "<script>" not in page
    page = pages.of_table("t", pd.DataFrame({"a": [0.123456, None], "b": ["x", "<b>"]}))
    assert "<td>0.1235</td>" in page and "&lt;b&gt;" in page and "nan" not in page.lower()


def test_the_report_has_pictures_and_captions(reported):
    report = (reported / "report.html").read_text()
    for target in TARGETS:
        assert f'"{target}": {{' in report
    for name in ("figure8", "figure13"):
        assert FIGURES[name].caption.split("``")[0][:40] in report


@pytest.mark.browser
def test_everything_listed_can_be_seen(reported, browser):
    browser.open(reported / "report.html")
    assert "tiny" in browser.evaluate("document.querySelector('.prose').textContent")
    links = "[...document.querySelectorAll('nav a')]"
    browser.evaluate(f"{links}.find((a) => a.textContent.trim() === {SECTION!r}).click()")
    names = browser.evaluate("[...document.querySelectorAll('nav td')].map((d) => d.textContent)")
    assert "FCN 5x256" in names and "MNIST (digits)" in names
    pictures = set()
    for value in ("ours", "with the paper's"):
        toggle = json.dumps(f'nav input[value="{value}"]')
        browser.evaluate(f"document.querySelector({toggle}).click()")
        browser.evaluate("document.querySelector('nav tbody a').click()")
        shown = "document.querySelector('#app img[src*=png]')"
        browser.evaluate(f"{shown}.decode()")
        assert browser.evaluate(f"{shown}.naturalWidth") > 1000
        pictures.add(browser.evaluate(f"{shown}.src"))
    assert len(pictures) == 2
    assert colours(browser.picture()) > 100
    assert browser.errors() == []
    assert browser.requests() <= {"file", "data", "blob", "about"}

"""What others read of the repository: how to cite it, where it runs, how the catalog shows it."""

import re
import tomllib

import yaml

from support.checkout import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NEWEST = 14  # the newest Python 3 that is tested


def read(name: str) -> dict:
    return yaml.safe_load((ROOT / name).read_text())


def test_the_citation_names_this_version_and_the_paper():
    citation = read("CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    assert [author["family-names"] for author in paper["authors"]] == ["Zhang", "Bengio", "Singer"]
    assert (paper["volume"], paper["issue"], paper["year"]) == (23, 67, 2022)


def test_the_changelog_has_this_version():
    assert f"## [{PROJECT['version']}]" in (ROOT / "CHANGELOG.md").read_text()


def test_every_supported_python_is_tested_and_declared():
    oldest = int(re.fullmatch(r">=3\.(\d+)", PROJECT["requires-python"])[1])
    supported = [f"3.{minor}" for minor in range(oldest, NEWEST + 1)]
    assert read(".github/workflows/ci.yml")["jobs"]["test"]["strategy"]["matrix"] == {
        "python": supported
    }
    prefix = "Programming Language :: Python :: "
    declared = [c.removeprefix(prefix) for c in PROJECT["classifiers"] if c.startswith(prefix)]
    assert declared == ["3", *supported]


def test_the_catalog_offers_only_what_rules_have():
    offered = read(".snakemake-workflow-catalog.yml")["usage"]["software-stack-deployment"]
    rules = "".join(path.read_text() for path in (ROOT / "workflow").rglob("*.smk"))
    assert offered["conda"] == ("conda:" in rules)
    assert offered["apptainer"] == ("container:" in rules)

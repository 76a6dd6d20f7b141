"""What holds for the repository as a whole."""

import re
import runpy
import subprocess
from importlib.metadata import packages_distributions

import pytest
import yaml

from layer_robustness.planning.imports import source_files
from support.checkout import ROOT, files

KINDS = ("heatmaps", "controls", "barriers", "overview", "single", "registry")
# What Snakemake imports for every run, and the steps without torch.
LIGHT = [f"commands.{name}" for name in ("figure", "table", "comparison", "comparison_figure")]
LIGHT += ["commands.claims", "commands.explorer", "commands.status", "report.labels"]
LIGHT += [f"figures.{kind}" for kind in ("heatmap", "bars", "lines")]
LIGHT += [f"figures.beyond.{kind}" for kind in KINDS] + ["commands.network_figure"]
LIGHT += [f"planning.{name}" for name in ("config", "demand", "imports", "plan", "presets")]
LIGHT += ["runtime.machine", "data.image_listing", "attacks.settings"]


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["snakefmt", "--check", "Snakefile", "workflow"],
        ["snakemake", "--lint"],
    ],
    ids=" ".join,
)
def test_a_checker_is_content(command):
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_what_is_light_imports_nothing_heavy():
    for path in source_files(*LIGHT):
        heavy = re.findall(
            r"^\s*(?:import|from) (?:torch|timm|mlxtend)", (ROOT / path).read_text(), re.M
        )
        assert not heavy, path


def test_source_files_are_what_python_imports():
    script = (
        "import sys, layer_robustness.commands.train\n"
        "print(*sorted(m.__file__ for n, m in sys.modules.items() if n.startswith('layer_rob')))"
    )
    ended = subprocess.run(
        ["python", "-c", script],
        cwd=ROOT / "src",
        check=True,
        capture_output=True,
        text=True,
    )
    imported = {path.rpartition("src/")[2] for path in ended.stdout.split()}
    assert {path.rpartition("src/")[2] for path in source_files("commands.train")} == imported


def test_the_environment_has_what_steps_import_in_the_locked_versions():
    locked = set(
        re.findall(r"^([\w-]+==[^ ;\\]+)", (ROOT / "envs/requirements.txt").read_text(), re.M)
    )
    environment = yaml.safe_load((ROOT / "envs/steps.yaml").read_text())
    pins = set(environment["dependencies"][-1]["pip"])
    assert pins <= locked
    commands = (path.stem for path in (ROOT / "src/layer_robustness/commands").glob("[a-z]*.py"))
    text = "".join(
        (ROOT / path).read_text() for path in source_files(*map("commands.{}".format, commands))
    )
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.M))
    known = packages_distributions()
    needed = {known[name][0].lower() for name in imported & known.keys()} - {"layer-robustness"}
    assert needed <= {pin.partition("==")[0] for pin in pins}


def test_tests_run_on_the_versions_that_figures_are_made_with():
    pins = [
        set(re.findall(r"^[\w-]+==[^ \\]+", (ROOT / f"envs/{name}.txt").read_text(), re.M))
        for name in ("requirements", "requirements-test")
    ]
    assert pins[0] < pins[1]


def test_no_locked_file_names_an_index():
    for name in files():
        if name.startswith("envs/"):
            assert not re.search(r"https?://|--(extra-)?index-url", (ROOT / name).read_text())


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda p: p.stem)
def test_a_benchmark_fits_the_code(path, monkeypatch):
    """Its imports and its recipes; they are run by hand."""
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path))

"""Which edits of the code make what is kept start over: those that can change a number."""

import shutil
from dataclasses import replace

import pytest

from layer_robustness.commands import train
from layer_robustness.data import dataset as data
from layer_robustness.planning.imports import NAME, PACKAGE, import_graph
from layer_robustness.runtime import code
from layer_robustness.runtime.code import STEPS, code_digest
from support.snakemake_runs import edit
from support.steps import ended
from support.training import train_arguments

# Where each step's numbers come from.
ROOTS = {
    "train": ("training.loop", "training.folder"),
    "probe": ("probing.rows",),
    "network": ("networks.progress",),
    "attack": ("attacks.accuracy",),
}
# They tell, store, check or interrupt. Data and weights have checksums of their own.
HARMLESS = {
    *("data.image_listing", "experiments.manifest", "experiments.paths", "probing.measurement"),
    *("runtime.code", "runtime.errors", "runtime.interruption", "runtime.memory"),
    *("storage.bits", "storage.files", "storage.jsonfile", "storage.rows", "storage.tensorfile"),
    *("training.folder", "training.progress", "training.state", "training.trained"),
}


@pytest.mark.parametrize("step", STEPS)
def test_every_module_that_a_step_imports_was_decided_about(step):
    """A new one belongs into `STEPS` if it can change a number, and into `HARMLESS` if not."""
    modules = {f"{NAME}.{root}" for root in ROOTS[step]}
    modules |= {m for root in tuple(modules) for m in import_graph().find_upstream_modules(root)}
    imported = {module.removeprefix(f"{NAME}.") for module in modules}
    parts = [name.removesuffix(".py").replace("/", ".") for name in STEPS[step]]
    decided = {m for m in imported if any(f"{m}.".startswith(f"{part}.") for part in parts)}
    assert imported - decided - HARMLESS == set()
    assert decided & HARMLESS == set()


@pytest.fixture
def source(tmp_path, monkeypatch):
    """A copy of the package to edit, which stands for the code that runs."""
    folder = shutil.copytree(PACKAGE, tmp_path / "source")
    monkeypatch.setattr(code, "PACKAGE", folder)
    code_digest.cache_clear()
    yield folder
    code_digest.cache_clear()


def digests() -> dict[str, str]:
    code_digest.cache_clear()
    return {step: code_digest(step) for step in STEPS}


@pytest.mark.parametrize(
    ("file", "steps"),
    [
        ("training/folder.py", ()),
        ("training/loop.py", ("train",)),
        ("probing/engine.py", ("probe", "network")),
        ("networks/inputs.py", ("network",)),
        ("attacks/stochastic.py", ("attack",)),
        ("models/vgg.py", tuple(STEPS)),
    ],
)
def test_an_edit_counts_for_the_steps_whose_numbers_it_can_change(source, file, steps):
    before = digests()
    edit(source / file)
    after = digests()
    assert {step for step in STEPS if before[step] != after[step]} == set(steps)


def test_an_edit_while_a_command_runs_is_not_what_ran(
    tmp_path, recipe, few_digits, source, monkeypatch, capsys
):
    """The fingerprint is of the code that was imported, not of what lies there at the end."""
    data.save(few_digits, tmp_path / "digits.safetensors")
    recipe = replace(recipe, epochs=1, checkpoints=(0, 1))
    arguments = train_arguments(tmp_path, tmp_path, recipe, "mnist/fcn2x32", seeds=1)
    choose = train.choose

    def choose_and_edit(device):
        edit(source / "training/loop.py")
        return choose(device)

    with monkeypatch.context() as patched:
        patched.setattr(train, "choose", choose_and_edit)
        assert not ended("train", *arguments)
    code_digest.cache_clear()
    capsys.readouterr()
    assert not ended("train", *arguments)
    told = capsys.readouterr().err
    assert "another recipe, data or code" in told and "epoch 1/1" in told

"""What the status says, against sums by hand and against what Snakemake would do."""

import shutil
from pathlib import Path

import pytest

from layer_robustness.commands.status import table, to_do
from layer_robustness.status.jobs import Made, summary
from support.snakemake_runs import SOURCE, TINY, edit, planned
from support.steps import ended

FIGURE = "paper_figures/tiny/figure1.pdf"
QUICK = Path("results/quick")


@pytest.fixture(autouse=True)
def made_up(tmp_path, monkeypatch):
    """A folder in which the test writes what there is."""
    monkeypatch.chdir(tmp_path)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def write_training(job: str, *hours: float) -> None:
    """The training.csv of one seed."""
    rows = [f"{job},0,{epoch},{3600 * took}" for epoch, took in enumerate(hours, 1)]
    write(QUICK / job / "training.csv", "network,seed,epoch,seconds", *rows)


def row(of: str, step: str) -> list[str]:
    """Words of a step's row, after its name."""
    (found,) = (line.split()[1:] for line in of.splitlines() if line.startswith(f"{step} "))
    return found


def job(step: str, name: str, state: str = "missing") -> Made:
    return Made(step, name, state, QUICK / name)


def missing(step: str, *names: str) -> list[Made]:
    return [job(step, name) for name in names]


def test_where_nothing_was_measured_nothing_is_known_of_the_hours():
    jobs = missing("train", "cifar10/vgg16", "cifar10/resnet50") + missing("probe", "cifar10/vgg16")
    printed = table([*jobs, *missing("figure", "figure3")])
    assert row(printed, "train") == ["0", "2", *["2", "not", "known", "yet"]]
    assert row(printed, "figure") == ["0", "1"]
    assert printed.endswith("Hours left on one core or GPU: 3 not known yet.")


def test_a_job_that_was_not_measured_takes_the_median_of_its_kind():
    measured = {"cifar10/vgg11": (1, 1), "cifar10/vgg13": (3, 4), "cifar10/vgg16": (1, 2)}
    for name, hours in measured.items():
        write_training(name, *hours)
    jobs = [job("train", name, "done") for name in measured]
    printed = table([*jobs, *missing("train", "cifar10/vgg19", "cifar10/resnet50")])
    assert row(printed, "train") == ["3", "5", "12", "3.00", "+", "1", "not", "known", "yet"]
    assert printed.endswith("Hours left on one core or GPU: 3.00 + 1 not known yet.")


def test_a_few_of_many_are_named():
    assert to_do(missing("train", *"abcdef")) == (
        "Missing (6): train a, train b, train c, train d, and 2 more"
    )


def test_other_steps_take_what_snakemake_measured():
    logs = QUICK / "logs/probe/cifar10"
    write(logs / "vgg16.benchmark.tsv", "s\tcpu_time", "3600\t7200")
    write(logs / "vgg13.benchmark.tsv", "s\tcpu_time", "3600\tNA")
    jobs = [job("probe", "cifar10/vgg16", "out of date"), job("probe", "cifar10/vgg13", "done")]
    assert row(table(jobs), "probe") == ["1", "2", "3.00", "2.00"]


def status(capsys, *options: str) -> str:
    """What the command prints."""
    assert ended("status", FIGURE, *TINY, *options) == ""
    return capsys.readouterr().out


def test_a_real_run(checkout, monkeypatch, capsys):
    monkeypatch.chdir(checkout)
    # as a run does that goes on, or was killed
    write(Path(".snakemake/locks/0.output.lock"), f"{checkout}/{FIGURE}", "")
    printed = status(capsys)
    for step in ("train", "probe", "distances"):
        assert row(printed, step)[:2] == ["1", "1"]
    assert printed.endswith("All is built and up to date.\n")

    edit(SOURCE / "probing/engine.py")
    printed = status(capsys)
    assert "Out of date (1): probe mnist/fcn3x256\nTo follow (1): figure1" in printed
    assert row(printed, "train")[:2] == ["1", "1"] and row(printed, "probe")[:2] == ["0", "1"]
    Path(".snakemake/locks/0.output.lock").unlink()
    pending = {made.step for made in summary([FIGURE, *TINY]) if made.state != "done"}
    assert pending == planned(checkout, targets=[FIGURE]) == {"probe", "figure"}

    shutil.rmtree("results")
    Path(FIGURE).unlink()
    printed = status(capsys)
    assert row(printed, "train") == ["0", "1", "1", "not", "known", "yet"]
    assert "Missing (5): " in printed and not Path("results/tiny").exists()
    assert ended("status", "--config", "device=tpu").startswith("error: config key device: 'tpu'")

"""Real Snakemake runs of networks beyond the paper: one trained here, and one of given weights."""

import re

import pandas as pd
import pytest
import torch
from PIL import Image

from support.checkout import ROOT
from support.colour_network import write_colours, write_own_network
from support.snakemake_runs import (
    configured,
    copy_checkout,
    counts,
    jobs,
    planned,
    snakemake,
)

SHOWN, RESULTS = "paper_figures/tiny", "results/tiny/beyond"
NAMES = ("figureB1", "networks/colours")
TARGETS = [f"{SHOWN}/{name}.pdf" for name in NAMES]
LINE = ["interpolate:0.5"]
VIT = {
    "model": "vit_tiny_patch16_224",
    "options": {"img_size": 14, "patch_size": 7, "embed_dim": 16, "depth": 2, "num_heads": 2},
    "data": "cifar10",
    "sources": ["rerand", "reinit", "epoch1", *LINE],
}
COLOURS = {
    "model": "mine:build",
    "weights": "trained.pt",
    "data": "images",
    "images": {"input_size": [3, 32, 32]},
    "sources": ["rerand", "zero"],
}
ENTRIES = {
    "vit": VIT,
    "vit_parts": {"of": "vit", "units": ["blocks.*.mlp"], "sources": ["reinit", *LINE]},
    "colours": COLOURS,
}
RECIPE = {"beyond/vit": {"optimizer": "adamw", "learning_rate": 0.002}}


def config_of(folder, **changes) -> list[str]:
    entries = ENTRIES | {"colours": COLOURS | changes}
    return configured(folder, {"beyond": entries, "training": RECIPE})


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A checkout, and in it a network of one's own, its weights and images."""
    folder = copy_checkout(tmp_path_factory.mktemp("beyond") / "checkout")
    write_own_network(folder)
    write_colours(folder / "images")
    ran = counts(snakemake(folder, config=config_of(folder), targets=TARGETS))
    assert ran == {"data": 1, "train": 1, "network": 3, "network_figure": 2}
    return folder


def test_each_entry_has_its_rows(built):
    frames = {name: pd.read_csv(built / RESULTS / name / "probe.csv") for name in ENTRIES}
    assert list(frames["vit"]["source"].unique()) == ["trained", *VIT["sources"]]
    assert set(frames["vit_parts"]["unit"]) == {"trained", "blocks.0.mlp", "blocks.1.mlp"}
    for name in ("vit", "vit_parts"):
        trained, first = frames[name].iloc[0], frames["vit"].iloc[0]
        assert trained["error"] == first["error"] and (frames[name]["images"] == 1000).all()
    colours = frames["colours"].set_index("source")["error"]
    assert colours["trained"] == 0  # of all outputs 0 the first is taken:
    assert colours["zero"] == pytest.approx(2 / 3)


def test_each_figure_is_there_with_its_numbers_and_caption(built):
    for name in NAMES:
        for kind in ("pdf", "png", "csv", "md"):
            assert (built / SHOWN / f"{name}.{kind}").stat().st_size > 100
    cells = pd.read_csv(built / SHOWN / "figureB1.csv").set_index(["entry", "unit", "source"])
    probe = pd.read_csv(built / RESULTS / "vit/probe.csv").set_index(["unit", "source"])
    assert (
        cells.loc[("vit", "blocks.1", "rerand"), "value"]
        == (probe.loc[("blocks.1", "rerand"), "error"])
    )
    assert "colours" not in set(pd.read_csv(built / SHOWN / "figureB1.csv")["entry"])
    assert (
        "tiny preset, digits5k_as_cifar10, 1 epochs" in (built / SHOWN / "figureB1.md").read_text()
    )
    assert "Critical to zero, 1 of 1 units" in (built / SHOWN / "networks/colours.md").read_text()


def test_all_figures_are_part_of_the_default_target(built):
    everything = snakemake(built, "-nF", config=config_of(built), targets=[])
    assert counts(everything)["network_figure"] == 3 + 3 + 1


def test_the_images_count_and_not_where_they_are(checkout):
    (checkout / "images").rename(checkout / "elsewhere")
    moved = config_of(checkout, data="elsewhere")
    assert planned(checkout, config=moved, targets=TARGETS) == set()
    Image.new("RGB", (9, 9), "blue").save(checkout / "elsewhere/blue/another.png")
    assert planned(checkout, config=moved, targets=TARGETS) == {"network", "network_figure"}


def test_other_weights_are_probed_again(checkout):
    """And a network that is trained as before is not trained again."""
    weights = {"2.weight": torch.zeros(3, 3), "2.bias": torch.zeros(3)}
    torch.save(weights, checkout / "trained.pt")
    found = planned(checkout, config=config_of(checkout), targets=TARGETS)
    assert found == {"network", "network_figure"}


def test_the_configs_of_the_page_are_some(built):
    page = (ROOT / "docs/any_network.md").read_text()
    for name, example in re.findall(r"```yaml\n# (\S+)\n(.*?)```", page, re.S):
        (built / name).write_text(example)
    for name in ("weights.safetensors", "vit.safetensors", "classes.txt"):
        (built / name).touch()
    write_colours(built / "photographs")
    commands = re.findall(r"^snakemake --cores 4 (.*) --configfile=(.*)$", page, re.M)
    assert [config for _, config in commands] == ["with_mine.yaml", "mine.yaml", "mine.yaml"]
    for targets, config in commands:
        ended = snakemake(built, "-n", targets=targets.split(), config=["--configfile", config])
        assert "network" in jobs(ended) and "/beyond/" in ended.stdout

"""Write docs/results.md from the results of a preset, and copy the pictures that it shows.

    python benchmarks/results.py --preset quick

Run it after `make figures`: every number and verdict on the page comes from the files it read.
"""

import argparse
import shutil
from datetime import date
from pathlib import Path

import pandas as pd
from machine import describe

from layer_robustness.experiments import paths
from layer_robustness.experiments.groups import identity_skips
from layer_robustness.experiments.names import parse_network

PICTURES = ("comparison_figure1.png", "comparison_figure3.png", "comparison_figure4.png")
TABLES = ("claims.csv", "comparison_panels.csv", "table1.md", "table2.md", "table3.md")
SHOWN = ["target", "architecture", "auc", "kappa_0.2", "agreement", "always_robust"]
DEAD = 0.01  # of its initial norm is left

PAGE = """\
# What the `{preset}` preset shows

Written by `benchmarks/results.py` from the files of one run, on {date}, on {machine}. Command:
`make figures PRESET={preset}`.

{what}

## The paper's claims

{claims}

{claims_said} [All numbers](results/{preset}/claims.csv); [how to read
them](comparison.md).

## Figures 1, 3 and 4, the paper's beside ours

{pictures}

## Panel by panel

Which layers are critical to re-initialization to epoch 0, in the paper's panels and in ours. `auc`
is how often a unit that the paper's text calls critical costs more here than one that it calls
robust; `kappa_0.2` is the agreement beyond luck at a cost of 0.2; `always_robust` is the agreement
that calling every layer robust would reach.

{panels}

Over the eight panels of Figures 3 and 4 the least AUC is {least_auc:.3f} and the mean kappa
{mean_kappa:.2f}. [Other seeds](benchmarks.md) have been tried too.

## Are the blocks with weight decay and batch normalization dead?

The ratio of each identity-skip block's norm after training to its initial norm:

{norms}

{norms_said}

## Tables

[Table 1](results/{preset}/table1.md), [Table 2](results/{preset}/table2.md),
[Table 3](results/{preset}/table3.md).
"""


def claims(shown: Path) -> tuple[str, str]:
    """Return the verdicts as a table, and a sentence that counts them."""
    rows = pd.read_csv(shown / "claims.csv")
    text = (shown / "claims.md").read_text()
    table = "\n".join(line for line in text.split("\n## ")[0].splitlines() if line.startswith("|"))
    counts = rows.groupby("claim")["claim_verdict"].first().value_counts()
    said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
    return table, f"Of {counts.sum()} claims: {said}."


def panels(shown: Path) -> tuple[str, float, float]:
    """Return the panels of Figures 3 to 5; of Figures 3 and 4 the least AUC and the mean kappa."""
    frame = pd.read_csv(shown / "comparison_panels.csv", dtype={"checkpoint": str})
    rows = frame[(frame["checkpoint"] == "0") & frame["target"].str.fullmatch("[345][a-d]")]
    both = rows[rows["target"].str.startswith(("3", "4"))]
    table = rows[SHOWN].to_markdown(index=False, floatfmt=".2f")
    return table, both["auc"].min(), both["kappa_0.2"].mean()


def norms(results: Path) -> tuple[str, str]:
    """Return the norms that are left of the identity-skip blocks of ResNet50, and what they say."""
    rows, dead = [], {}
    for name in ("cifar10/resnet50", "cifar10/resnet50+wd+bn", "imagenet/resnet50+wd+bn"):
        frame = pd.read_csv(results / name / paths.DISTANCES, dtype={"source": str})
        last = max(frame["source"][frame["source"] != "rerand"], key=int)
        ratio = frame[frame["source"] == last].groupby("unit")["norm_ratio"].mean()
        ratio = ratio[list(identity_skips(parse_network(name)))]
        rows.append((name, ratio.min(), ratio.median(), ratio.max()))
        dead[name] = int((ratio < DEAD).sum())
    table = pd.DataFrame(rows, columns=["network", "least", "median", "largest"])
    said = "; ".join(f"{count} in {name}" for name, count in dead.items())
    return (
        table.to_markdown(index=False, floatfmt=".3g"),
        f"Blocks of which less than {DEAD:.0%} of the norm is left: {said}.",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="quick")
    preset = parser.parse_args().preset
    shown, kept = Path("paper_figures", preset), Path("docs/results", preset)
    kept.mkdir(parents=True, exist_ok=True)
    for name in (*PICTURES, *TABLES):
        shutil.copy(shown / name, kept / name)
    verdicts, counted = claims(shown)
    of_panels, least_auc, mean_kappa = panels(shown)
    of_norms, norms_said = norms(Path(paths.results(preset)))
    what = next(
        line for line in (shown / "claims.md").read_text().splitlines() if line.startswith("What")
    )
    page = PAGE.format(
        preset=preset,
        date=f"{date.today():%d %B %Y}",
        machine=describe(),
        what=what,
        claims=verdicts,
        claims_said=counted,
        pictures="\n\n".join(f"![{name}](results/{preset}/{name})" for name in PICTURES),
        panels=of_panels,
        least_auc=least_auc,
        mean_kappa=mean_kappa,
        norms=of_norms,
        norms_said=norms_said,
    )
    Path("docs/results.md").write_text(page)


if __name__ == "__main__":
    main()

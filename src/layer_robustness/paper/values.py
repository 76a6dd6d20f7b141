"""The paper's own values, as resources/paper holds them, in one form.

How finely a value can be read is its `resolution`:

========  =========================================================================================
heatmaps  one step of the panel's colour bar, taken as the panel's range / 160. That is the 0.004 to
          0.006 in error that resources/paper/README.md states; the values of the panels of
          distances are multiples of a 126th to a 196th of their range, so it holds there too
bars      0.001
tables    a unit of the last digit that is printed
========  =========================================================================================
"""

import hashlib
import io
from pathlib import Path

import pandas as pd

from layer_robustness.runtime.errors import InputError

EPOCHS = 100  # of every network
CLASSES = {"mnist": 10, "cifar10": 10, "imagenet": 1000}

COLOUR_STEPS = 160
BAR_RESOLUTION = 0.001
# Percent, as printed.
TABLE_RESOLUTION = {"table1": 0.01, "table2": 0.01, "table3": 0.1}

HEATMAPS = "figure_heatmaps.csv"
BARS = "figure2_bars.csv"
SUMS = "SHA256SUMS"  # of the others, as `sha256sum *.csv` writes them
FILES = (HEATMAPS, BARS, *(f"{name}.csv" for name in TABLE_RESOLUTION), SUMS)

COLUMNS = [
    *("target", "dataset", "architecture", "variant", "joint_group", "layer", "checkpoint"),
    *("quantity", "value", "resolution"),
]


def load(folder: Path) -> pd.DataFrame:
    """Return all values of the paper, one a row; what does not apply to a value is empty.

    target
        The panel (`4b`, `2a`) or the table (`table1`).
    architecture
        Of Table 2 `resnet4^2` or `resnet4^4`; its `variant` tells the classifier: `baseline`, or
        `r4s1` for 4 draws of a block of which one is swapped in.
    checkpoint
        `rerand` or an epoch.
    quantity
        `test_error`, `dist_l2`, `dist_linf`; of bars and tables a column of their file.
    value, resolution
        Errors and accuracies as fractions, also those that the paper prints in percent.

    Raises `InputError` if a file is missing or not as its checksum says.
    """
    parts = [heatmaps(folder), bars(folder), *(table(folder, name) for name in TABLE_RESOLUTION)]
    values = pd.concat(parts, ignore_index=True)
    labels = COLUMNS[:-2]
    return values.astype(dict.fromkeys(labels, object)).fillna(dict.fromkeys(labels, ""))[COLUMNS]


def networks(frame: pd.DataFrame) -> pd.Series:
    """Return the name of each row's network, such as cifar10/vgg16+wd."""
    variant = ("+" + frame["variant"]).where(frame["variant"] != "", "")
    return frame["dataset"] + "/" + frame["architecture"] + variant


def read(path: Path, columns: list[str]) -> pd.DataFrame:
    """Read one file; all columns but the given ones are numbers, or empty."""
    try:
        content, sums = path.read_bytes(), path.with_name(SUMS).read_text()
    except (OSError, ValueError) as error:
        raise InputError(
            f"{path} or {SUMS} beside it cannot be read ({error}): check out resources/paper again"
        ) from error
    if f"{hashlib.sha256(content).hexdigest()}  {path.name}" not in sums.splitlines():
        raise InputError(
            f"{path} does not match its checksum in {SUMS}: check out resources/paper again"
        )
    frame = pd.read_csv(io.BytesIO(content), dtype=dict.fromkeys(columns, str))
    return frame.fillna(dict.fromkeys(columns, ""))


def heatmaps(folder: Path) -> pd.DataFrame:
    """Return the cells of all heatmaps."""
    labels = ["figure", *COLUMNS[1:-2]]
    cells = read(folder / HEATMAPS, labels).rename(columns={"figure": "target"})
    spans = cells.groupby("target")["value"].agg(lambda values: values.max() - values.min())
    return cells.assign(resolution=cells["target"].map(spans) / COLOUR_STEPS)


def bars(folder: Path) -> pd.DataFrame:
    """Return the ends of the bars of Figure 2, and the lengths of their whiskers."""
    wide = read(folder / BARS, ["dataset", "hidden_layers", "width"])
    wide["target"] = wide["dataset"].map({"mnist": "2a", "cifar10": "2b"})
    wide["architecture"] = "fcn" + wide["hidden_layers"] + "x" + wide["width"]
    quantities = [column for column in wide if "error" in column]
    return wide.melt(["target", "dataset", "architecture"], quantities, "quantity").assign(
        resolution=BAR_RESOLUTION
    )


def table(folder: Path, name: str) -> pd.DataFrame:
    """Return the entries of a table that are not blank."""
    labels = ["architecture", *(["configuration", "r", "s"] if name == "table2" else ["dataset"])]
    wide = read(folder / f"{name}.csv", labels)
    if name == "table2":
        swaps = "r" + wide["r"] + "s" + wide["s"]
        wide["variant"] = swaps.where(wide["configuration"] == "stochastic", wide["configuration"])
        wide["architecture"] = "resnet" + wide["architecture"]
        wide = wide.drop(columns=["configuration", "r", "s"]).assign(dataset="cifar10")
    labels = [column for column in wide if column in COLUMNS]
    entries = wide.melt(labels, var_name="quantity").dropna(subset="value")
    percent = TABLE_RESOLUTION[name]
    return entries.assign(target=name, value=entries["value"] / 100, resolution=percent / 100)

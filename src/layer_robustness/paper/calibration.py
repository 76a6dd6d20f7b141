"""Which learning rate the paper may have used: it does not say, but shows what came of it.

Its heatmaps have the test error of the whole network after 1 and 10 epochs (`fullmodel`). A rate
that gives these errors at these epochs is a good guess, and costs a tenth of a full training.
"""

from collections.abc import Callable
from dataclasses import replace

import pandas as pd

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.paper.values import networks
from layer_robustness.runtime.errors import InputError

EPOCHS = (1, 10)


def trial(recipe: Recipe, rate: float) -> Recipe:
    """Return a recipe at another rate, up to the last epoch that is compared."""
    last = max(EPOCHS)
    return replace(recipe, learning_rate=rate, epochs=last, checkpoints=(0, last))


def published(paper: pd.DataFrame) -> pd.DataFrame:
    """Return the test error of each network in the paper's `values`, by epoch of `EPOCHS`."""
    rows = paper[(paper["layer"] == "fullmodel") & (paper["quantity"] == "test_error")]
    rows = rows[(rows["joint_group"] == "") & rows["checkpoint"].isin(map(str, EPOCHS))]
    rows = rows.assign(network=networks(rows), epoch=rows["checkpoint"].astype(int))
    errors = rows.drop_duplicates(["network", "epoch"]).pivot(
        index="network", columns="epoch", values="value"
    )
    return errors.loc[rows["network"].unique()].dropna()


def trained(paper: pd.DataFrame, runs: Callable[[Network], bool]) -> list[str]:
    """Return the networks of `published` that are trained, as `runs` says.

    Raises `InputError` if none is.
    """
    found = [name for name in paper.index if runs(parse_network(name))]
    if not found:
        raise InputError(
            "nothing to calibrate: config key networks, or missing data, leaves none of the "
            f"networks whose first epochs the paper shows, such as {paper.index[0]}: add one"
        )
    return found


def compare(trials: pd.DataFrame, paper: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each network and rate: ours, the paper's, their distance, and the best.

    distance
        Mean absolute difference of the test errors at `EPOCHS`; of a trial that diverged, 1.
    best
        Whether it is the smallest of the network's trials that did not diverge.

    `trials` are rows of training.csv with their rate, `paper` is what `published` returns.
    """
    ours = trials[trials["epoch"].isin(EPOCHS)].groupby(["network", "rate", "epoch"], sort=False)
    ours = ours["test_error"].mean().unstack("epoch").reindex(columns=list(EPOCHS))
    theirs = paper.loc[ours.index.get_level_values("network")].set_axis(ours.index)
    table = ours.add_prefix("ours_").join(theirs.add_prefix("paper_"))
    table = table[[f"{who}_{epoch}" for epoch in EPOCHS for who in ("ours", "paper")]]
    distance = (ours - theirs).abs().mean(axis=1, skipna=False)
    table["distance"] = distance.fillna(1)
    table["best"] = distance == distance.groupby("network").transform("min")
    return table.reset_index()

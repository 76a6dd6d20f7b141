"""Which learning rate the paper may have used: it does not say, but shows what came of it.

Its heatmaps have the test error of the whole network after 1 and 10 epochs (`fullmodel`). A rate
that gives these errors at these epochs is a good guess, and costs a tenth of a full training.
"""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd

from layer_robustness.experiments.names import Network
from layer_robustness.experiments.recipe import Recipe

EPOCHS = (1, 10)
COLUMNS = ("network", "rate", *(f"{who}_{epoch}" for epoch in EPOCHS for who in ("ours", "paper")))


def trial(recipe: Recipe, rate: float) -> Recipe:
    """Return a recipe at another rate, up to the last epoch that is compared."""
    last = max(EPOCHS)
    return replace(recipe, learning_rate=rate, epochs=last, checkpoints=(0, last))


def published(paper: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the paper's test error at `EPOCHS` of each network that it shows, by epoch.

    Parameters
    ----------
    paper
        What `values.load` returns.
    """
    epochs = list(map(str, EPOCHS))
    rows = paper[(paper["layer"] == "fullmodel") & (paper["quantity"] == "test_error")]
    rows = rows[(rows["joint_group"] == "") & rows["checkpoint"].isin(epochs)]
    found = {}
    for labels, of_network in rows.groupby(["dataset", "architecture", "variant"], sort=False):
        dataset, architecture, variant = map(str, labels)
        network = Network(dataset, f"{architecture}+{variant}".removesuffix("+"))
        errors = of_network.drop_duplicates("checkpoint").set_index("checkpoint")["value"]
        if set(epochs) <= set(errors.index):
            found[str(network)] = errors[epochs].set_axis(EPOCHS)
    return found


def compare(trials: pd.DataFrame, paper: Mapping[str, pd.Series]) -> pd.DataFrame:
    """Return a row for each network and rate: ours, the paper's, their distance, and the best.

    distance
        Mean absolute difference of the test errors at `EPOCHS`; of a trial that diverged, 1.
    best
        Whether it is the network's smallest.

    Parameters
    ----------
    trials
        Rows of training.csv of all trials: network, rate, seed, epoch, test_error.
    paper
        What `published` returns.
    """
    ours = trials[trials["epoch"].isin(EPOCHS)].groupby(["network", "rate", "epoch"], sort=False)
    errors = ours["test_error"].mean().unstack("epoch").reindex(columns=list(EPOCHS))
    rows = []
    for (network, rate), found in errors.iterrows():
        theirs = paper[network]
        row = {"network": network, "rate": rate}
        for epoch in EPOCHS:
            row |= {f"ours_{epoch}": found[epoch], f"paper_{epoch}": theirs[epoch]}
        rows.append(row | {"distance": (found - theirs).abs().fillna(1).mean()})
    table = pd.DataFrame(rows, columns=[*COLUMNS, "distance"])
    best = table.groupby("network")["distance"].transform("min")
    return table.assign(best=table["distance"] == best)

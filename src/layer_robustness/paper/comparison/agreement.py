"""How far the paper's values and ours agree, panel by panel and table by table."""

import pandas as pd
from scipy.stats import spearmanr

from layer_robustness.experiments.groups import members
from layer_robustness.experiments.names import parse_network
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.patterns import auc_of, kappa
from layer_robustness.paper.criticality import CRITICAL, chance, cost, is_trained

BY = ["target", "dataset", "architecture", "variant", "joint_group", "quantity"]
THRESHOLDS = (0.05, 0.1, CRITICAL, 0.3, 0.4, 0.5)
KAPPAS = {threshold: f"kappa_{threshold:g}" for threshold in THRESHOLDS}
COLUMNS = [
    *(*BY, "checkpoint", "our_checkpoint", "matched_by", "values"),
    *("mean_abs_difference", "spearman", "auc", *KAPPAS.values(), "agreement", "always_robust"),
    *("critical_paper", "critical_ours"),
    *("data", "width", "epochs", "papers_setup"),
]


def summarize(rows: pd.DataFrame, chances: dict[str, float]) -> pd.DataFrame:
    """Return a row for each panel and checkpoint, and for each quantity of bars and tables.

    values
        What the row is about: layers (`fullmodel` is none), bars, networks; in joint panels the
        two groups.
    mean_abs_difference
        Empty where our setup is not the paper's: other data or another scale have other levels.
    spearman
        Rank correlation between the paper's values and ours. Of test errors it is given only where
        the paper has both critical and robust layers: the order among layers that are all at
        chance, or all unharmed, is noise. Empty also for fewer than three values, or equal ones.
    auc
        Of VGGs and ResNets: how often a unit that the paper's text calls critical costs more here
        than one that it calls robust (`patterns.told_apart`); no threshold is needed.
    kappa_...
        Cohen's kappa of the paper's critical layers and ours at this threshold of the cost
        (paper/criticality.py). These and what follows are empty for the final epoch, to which
        nothing is reset, and where one of the full models did not learn.
    agreement, always_robust
        Share of layers that are critical, or robust, in both at `CRITICAL`; and the agreement that
        calling every layer robust would reach.
    critical_paper, critical_ours
        How many layers are critical at `CRITICAL`.

    Parameters
    ----------
    rows
        What `values.compare` returns.
    chances
        Our test error of guessing, by data set.
    """
    found = []
    for _, panel in rows.groupby("target", sort=False):
        parts = of_heatmap(panel, chances) if panel["checkpoint"].any() else of_others(panel)
        found.extend(parts)
    counts = dict.fromkeys(("critical_paper", "critical_ours"), "Int64")
    return pd.DataFrame(found, columns=COLUMNS).astype(counts)


def of_others(target: pd.DataFrame) -> list[dict]:
    """Return a row for each data set and quantity of bars or of a table."""
    return [
        common(values) | {"spearman": correlation(values)}
        for _, values in target.groupby(["dataset", "quantity"], sort=False)
    ]


def of_heatmap(panel: pd.DataFrame, chances: dict[str, float]) -> list[dict]:
    """Return a row for each checkpoint of a heatmap."""
    layers = panel[panel["layer"] != "fullmodel"]
    if panel["joint_group"].iloc[0]:
        layers = one_of_each_group(layers)
    last = panel.iloc[-1]
    found = []
    for checkpoint, values in layers.groupby("checkpoint", sort=False):
        row = common(values)
        if last["quantity"] != "test_error":
            row["spearman"] = correlation(values)
        elif checkpoint != last["checkpoint"]:
            row |= classified(values, last, chances[last["dataset"]])
        found.append(row)
    return found


def one_of_each_group(layers: pd.DataFrame) -> pd.DataFrame:
    """Keep one layer of a jointly reset group and one of the rest; the others repeat them."""
    inside = members(parse_network(layers["network"].iloc[0]), layers["joint_group"].iloc[0])
    groups = layers["layer"].isin(inside).rename("inside")
    return layers.groupby([groups, "checkpoint"], sort=False).head(1)


def common(values: pd.DataFrame) -> dict:
    """Return what a row says of all kinds of values; of bars and tables it is about `several`."""
    labels = [*BY, "checkpoint", "our_checkpoint", "matched_by"]
    several = {name: values[name].unique() for name in labels}
    row = {name: found[0] if len(found) == 1 else "several" for name, found in several.items()}
    row |= {name: "/".join(map(str, values[name].unique())) for name in COLUMNS[-4:-1]}
    comparable = values["papers_setup"].all()
    level = values["difference"].abs().mean() if comparable else None
    return row | {"values": len(values), "mean_abs_difference": level, "papers_setup": comparable}


def correlation(values: pd.DataFrame) -> float | None:
    """Spearman's rank correlation; none of fewer than three values, or where all are equal."""
    sides = values[["paper", "ours"]].dropna()
    if len(sides) < 3 or (sides.nunique() < 2).any():
        return None
    return spearmanr(sides["paper"], sides["ours"]).statistic


def classified(values: pd.DataFrame, full: pd.Series, our_chance: float) -> dict:
    """Return correlation, AUC, agreement and numbers of critical layers of one checkpoint.

    `full` has the two full models' errors.
    """
    chances = {"paper": chance(paper.CLASSES[full["dataset"]]), "ours": our_chance}
    if not all(is_trained(full[side], chances[side]) for side in chances):
        return {}
    costs = {side: cost(values[side], full[side], chances[side]) for side in chances}
    kinds = {side: costs[side] > CRITICAL for side in costs}
    by_unit = pd.Series(costs["ours"].to_numpy(), values["layer"])
    joint = values["joint_group"].iloc[0]
    return {
        "spearman": correlation(values) if kinds["paper"].nunique() == 2 else None,
        "auc": None if joint else auc_of(parse_network(values["network"].iloc[0]), by_unit),
        **{
            name: kappa(costs["paper"] > threshold, costs["ours"] > threshold)
            for threshold, name in KAPPAS.items()
        },
        "agreement": (kinds["paper"] == kinds["ours"]).mean(),
        "always_robust": (~kinds["paper"]).mean(),
        "critical_paper": kinds["paper"].sum(),
        "critical_ours": kinds["ours"].sum(),
    }

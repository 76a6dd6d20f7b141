"""How far the paper's values and ours agree, panel by panel and table by table."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from scipy.stats import spearmanr

from layer_robustness.experiments.groups import downsampling, identity_skips, members
from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.results import Setup
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.values import CORRESPONDING
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


def summarize(rows: pd.DataFrame, setups: Mapping[str, Setup]) -> pd.DataFrame:
    """Return a row for each panel and checkpoint, and for each quantity of bars and tables.

    docs/comparison.md tells what the columns are. `values` counts what the row is about: layers
    (`fullmodel` is none), bars, networks; in joint panels the two groups. `rows` are those of
    `values.compare`.
    """
    found = []
    for _, target in rows.groupby("target", sort=False):
        if target["checkpoint"].any():
            found += of_heatmap(target, setups)
        else:
            by_quantity = target.groupby(["dataset", "quantity"], sort=False)
            found += [
                common(values) | {"spearman": correlation(values)} for _, values in by_quantity
            ]
    counts = dict.fromkeys(("critical_paper", "critical_ours"), "Int64")
    return pd.DataFrame(found, columns=COLUMNS).astype(counts)


def of_heatmap(panel: pd.DataFrame, setups: Mapping[str, Setup]) -> list[dict]:
    """Return a row for each checkpoint of a heatmap."""
    layers, last = panel[panel["layer"] != "fullmodel"], panel.iloc[-1]
    network = parse_network(last["network"])
    if last["joint_group"]:  # all layers of a group have its error, and all others the same
        inside = layers["layer"].isin(members(network, last["joint_group"]))
        layers = layers.groupby([inside.rename("inside"), "checkpoint"], sort=False).head(1)
    our_chance = chance(setups[last["network"]].classes)
    found = []
    for checkpoint, values in layers.groupby("checkpoint", sort=False):
        row = common(values)
        if last["quantity"] != "test_error":
            row["spearman"] = correlation(values)
        elif checkpoint != last["checkpoint"]:  # to the final epoch nothing is reset
            row |= classified(network, values, last, our_chance)
        found.append(row)
    return found


def common(values: pd.DataFrame) -> dict:
    """Return what a row says of all kinds of values; of bars and tables it is about `several`."""
    labels = [*BY, "checkpoint", "our_checkpoint", "matched_by"]
    several = {name: values[name].unique() for name in labels}
    row = {name: found[0] if len(found) == 1 else "several" for name, found in several.items()}
    row |= {name: "/".join(map(str, values[name].unique())) for name in COLUMNS[-4:-1]}
    papers_setup = values["papers_setup"].all()
    comparable = papers_setup and values["matched_by"].isin(CORRESPONDING).all()
    level = values["difference"].abs().mean() if comparable else None
    return row | {"values": len(values), "mean_abs_difference": level, "papers_setup": papers_setup}


def correlation(values: pd.DataFrame) -> float | None:
    """Spearman's rank correlation; none of fewer than three values, or where all are equal."""
    sides = values[["paper", "ours"]].dropna()
    if len(sides) < 3 or (sides.nunique() < 2).any():
        return None
    return spearmanr(sides["paper"], sides["ours"]).statistic


def classified(network: Network, values: pd.DataFrame, full: pd.Series, our_chance: float) -> dict:
    """Return correlation, AUC, agreement and numbers of critical layers of one checkpoint.

    Empty where one of the full models, whose errors are in `full`, did not learn. The order among
    layers that are all at chance, or all unharmed, is noise: there the correlation is empty.
    """
    chances = {"paper": chance(paper.CLASSES[network.dataset]), "ours": our_chance}
    if not all(is_trained(full[side], chances[side]) for side in chances):
        return {}
    theirs, ours = (cost(values[side], full[side], chances[side]) for side in chances)
    critical, ours_critical = theirs > CRITICAL, ours > CRITICAL
    by_unit = pd.Series(ours.to_numpy(), values["layer"])
    return {
        "spearman": correlation(values) if critical.nunique() == 2 else None,
        "auc": None if full["joint_group"] else auc_of(network, by_unit),
        **{name: kappa(theirs > limit, ours > limit) for limit, name in KAPPAS.items()},
        "agreement": (critical == ours_critical).mean(),
        "always_robust": (~critical).mean(),
        "critical_paper": critical.sum(),
        "critical_ours": ours_critical.sum(),
    }


def told_apart(network: Network) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the units that the paper's text calls critical, and those that it calls robust.

    Of a VGG the convolutions of stages 1 and 2 against those of stage 5, fc1 and fc2; of a ResNet
    stage0 and the downsampling blocks against the blocks with an identity skip (Section 3.2). Of
    other networks, none.
    """
    if network.kind == "vgg":
        lower = [unit for unit in network.units if unit.startswith(("stage1.", "stage2."))]
        upper = [unit for unit in network.units if unit.startswith(("stage5.", "fc"))]
        return tuple(lower), tuple(upper)
    if network.kind == "resnet" and not network.treatment:
        return ("stage0", *downsampling(network)), identity_skips(network)
    return (), ()


def auc(critical: np.ndarray, robust: np.ndarray) -> float:
    """Return how often a critical unit costs more than a robust one, of all pairs; ties are half.

    1 is a perfect order, 0.5 is none. This is the Mann-Whitney statistic, which needs no threshold.
    """
    difference = np.subtract.outer(np.asarray(critical), np.asarray(robust))
    return float((difference > 0).mean() + (difference == 0).mean() / 2)


def auc_of(network: Network, costs: pd.Series) -> float | None:
    """Return the AUC of costs by unit, for networks of which the paper tells units apart."""
    critical, robust = told_apart(network)
    if not critical or not {*critical, *robust} <= set(costs.index):
        return None
    return auc(costs[list(critical)].to_numpy(), costs[list(robust)].to_numpy())


def kappa(one: pd.Series, other: pd.Series) -> float | None:
    """Return Cohen's kappa of two classifications into critical and robust: agreement beyond luck.

    1 is full agreement, 0 what two independent classifications with these shares would reach. None
    where both say the same of all units, as there is nothing to agree on.
    """
    agree = float((one == other).mean())
    by_luck = float(one.mean() * other.mean() + (1 - one.mean()) * (1 - other.mean()))
    return None if by_luck == 1 else (agree - by_luck) / (1 - by_luck)

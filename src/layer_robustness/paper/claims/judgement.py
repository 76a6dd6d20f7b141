"""From claims and results to verdicts, in two senses: of levels, and of patterns."""

from collections.abc import Iterable

import pandas as pd

from layer_robustness.paper.claims.claims import Case, Claim, Statement
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError
from layer_robustness.paper.claims.statistics import combined
from layer_robustness.paper.setups import is_the_papers

SUPPORTED = "supported"
FRAGILE = "supported, fragile"
NOT_SUPPORTED = "not supported"
NOT_FRAGILE = "not supported, fragile"
PRESENT = "pattern present"
UNDECIDED = "pattern undecided"
ABSENT = "pattern absent"
NOT_TESTED = "not tested here"
# A claim's verdict is the first of these that one of its parts has: levels come before patterns.
RANKED = (NOT_SUPPORTED, NOT_FRAGILE, FRAGILE, SUPPORTED, ABSENT, UNDECIDED, PRESENT, NOT_TESTED)

MOVED = (0.75, 1.25)  # of a bound: where either flips a verdict, it is fragile
LEVEL = 0.05  # of significance

COLUMNS = [
    *("claim", "sense", "part", "criterion", "case", "about", "value", "low", "high", "interval"),
    *("holds", "clear", "p", "p_opposite", "why_not_tested", "part_verdict", "claim_verdict"),
]


def judge(claims: Iterable[Claim], evidence: Evidence) -> pd.DataFrame:
    """Return a row for each case of each part of each claim.

    claim, sense, part, criterion, case, about
        What was measured: `statistics.Estimate` of a `level`, `statistics.Statistic` of a
        `pattern`.
    value, low, high, interval, p, p_opposite
        As these say.
    holds, clear
        Of levels: whether the mean keeps to the bound, and whether either all or nothing of the
        interval does. Of patterns: whether the statistic lies on the pattern's side.
    why_not_tested
        For a case that could not be measured; its numbers are empty.
    claim_verdict
        By levels where any could be tested, else by patterns.
    """
    found = []
    for claim in claims:
        rows = [row for statement in claim.statements for row in judged(statement, evidence)]
        verdict = min((row["part_verdict"] for row in rows), key=RANKED.index)
        found += [row | {"claim": claim.number, "claim_verdict": verdict} for row in rows]
    return pd.DataFrame(found, columns=COLUMNS)


def judged(statement: Statement, evidence: Evidence) -> list[dict]:
    """Return a row for each case of a statement: its numbers, or why there are none."""
    labels = {"sense": statement.sense, "part": statement.part, "criterion": statement.criterion}
    rows = []
    for case in statement.cases:
        try:
            found = measured(statement, case, evidence)
        except NotTestedError as reason:
            found = {"why_not_tested": str(reason)}
        rows.append(labels | {"case": named(case)} | found)
    tested = [row for row in rows if "value" in row]
    verdict_of = level_verdict if statement.sense == "level" else pattern_verdict
    verdict = verdict_of(statement, tested, len(tested) == len(rows)) if tested else NOT_TESTED
    return [row | {"part_verdict": verdict} for row in rows]


def measured(statement: Statement, case: Case, evidence: Evidence) -> dict:
    """Return the numbers of one case; raises `NotTestedError` where there are none."""
    for network, file in statement.needs(case):
        if not evidence.results.ran([network]):
            raise NotTestedError(f"{network} was not run")
        if not evidence.results.has(network, file):
            raise NotTestedError(f"{network} has no {file}")
    if statement.sense == "pattern":
        return vars(statement.measure(evidence, *case))
    for network in case:
        setup = evidence.results.setups[str(network)]
        if not is_the_papers(setup, network.dataset):
            raise NotTestedError(
                f"{network} was run on {setup.data}, width {setup.width:g}, {setup.epochs} "
                "epochs: its levels cannot be compared with the paper's"
            )
    found = statement.measure(evidence, *case)
    if pd.isna(found.value):
        raise NotTestedError(f"the number is undefined for {named(case)}")
    clear = interval_is_clear(statement, found.low, found.high)
    return vars(found) | {"holds": statement.holds(found.value), "clear": clear}


def named(case: Case) -> str:
    """Name the networks of a case, the first and the last where there are many."""
    names = list(map(str, case))
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"


def interval_is_clear(bound: Statement, low: float, high: float) -> str:
    """Say whether all of an interval keeps to the bound, or nothing of it."""
    if pd.isna(low):
        return "no interval"
    inside = bound.holds(low) and bound.holds(high)
    return "yes" if inside or high < bound.lowest or bound.highest < low else "no"


def level_verdict(statement: Statement, rows: list[dict], all_tested: bool) -> str:
    """Say whether the numbers keep to the bound, and whether a bound moved would say so."""
    kept, *moved = (
        (any if statement.some else all)(statement.holds(row["value"], factor) for row in rows)
        for factor in (1, *MOVED)
    )
    if kept:
        return SUPPORTED if all(moved) else FRAGILE
    if statement.some and not all_tested:  # one of those that are missing may keep to it
        return NOT_TESTED
    return NOT_FRAGILE if any(moved) else NOT_SUPPORTED


def pattern_verdict(statement: Statement, rows: list[dict], all_tested: bool) -> str:
    """Say whether the p-values of all cases speak for the pattern or for its opposite."""
    if statement.some:
        # One network is enough; by chance, one of several often seems to be. Absent: in none.
        if len(rows) * min(row["p"] for row in rows) < LEVEL:
            return PRESENT
        opposite = max(row["p_opposite"] for row in rows)
        return ABSENT if all_tested and opposite < LEVEL else UNDECIDED
    p, opposite = (combined(row[key] for row in rows) for key in ("p", "p_opposite"))
    if (p < LEVEL) == (opposite < LEVEL):
        return UNDECIDED
    return PRESENT if p < LEVEL else ABSENT

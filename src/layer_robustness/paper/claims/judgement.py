"""From claims and results to verdicts, in two senses: of levels, and of patterns."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from layer_robustness.paper.claims.claims import Bound, Case, Claim, Statement
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError, Sample, estimate
from layer_robustness.paper.claims.statistics import LEVEL, Statistic, combined

SUPPORTED = "supported"
FRAGILE = "supported, fragile"
NOT_SUPPORTED = "not supported"
NOT_FRAGILE = "not supported, fragile"
PRESENT = "pattern present"
UNDECIDED = "pattern undecided"
ABSENT = "pattern absent"
NOT_TESTED = "not tested here"

MOVED = (0.75, 1.25)  # of a bound: where either flips a verdict, it is fragile

COLUMNS = [
    *("claim", "sense", "part", "criterion", "case", "about", "value", "low", "high", "interval"),
    *("holds", "clear", "p", "p_opposite", "why_not_tested", "part_verdict", "claim_verdict"),
]


def judge(claims: Iterable[Claim], evidence: Evidence) -> pd.DataFrame:
    """Return a row for each case of each part of each claim.

    claim, sense, part, criterion, case, about
        What was measured. By its `level` there is a bound in the criterion; by its `pattern` the
        criterion is a statement. `about` names the layers.
    value, low, high, interval
        Of levels: the mean and its 95% t-interval, cut at what the number can be, and what the
        interval is over. Of patterns: the statistic, and what its p-values are from.
    holds, clear
        Of levels: whether the mean keeps to the bound, and whether either all or nothing of the
        interval does. Of patterns: whether the statistic lies on the pattern's side.
    p, p_opposite
        Of patterns: one-sided p-values of the pattern and of its opposite.
    why_not_tested
        For a case that could not be measured; its numbers are empty.
    claim_verdict
        By levels where any could be tested, else by patterns.
    """
    found = []
    for claim in claims:
        senses = {
            sense: [judged(statement, evidence) for statement in statements]
            for sense, statements in (("level", claim.levels), ("pattern", claim.patterns))
        }
        verdict = verdict_of(senses)
        found += [
            {"claim": claim.number, "sense": sense, "part": number, "claim_verdict": verdict} | row
            for sense, parts in senses.items()
            for number, rows in enumerate(parts, 1)
            for row in rows
        ]
    return pd.DataFrame(found, columns=COLUMNS)


def verdict_of(senses: Mapping[str, list[list[dict]]]) -> str:
    """Judge a claim by its parts: those of levels if any was tested, else those of patterns."""
    for parts in senses.values():
        verdicts = {rows[0]["part_verdict"] for rows in parts} - {NOT_TESTED}
        for worst in (NOT_SUPPORTED, NOT_FRAGILE, FRAGILE, SUPPORTED, ABSENT, UNDECIDED, PRESENT):
            if worst in verdicts:
                return worst
    return NOT_TESTED


def judged(statement: Statement, evidence: Evidence) -> list[dict]:
    """Return a row for each case of a statement: its numbers, or why there are none."""
    rows, found, bound = [], [], statement.bound
    for case in statement.cases:
        row = {"criterion": statement.criterion, "case": name_of(case)}
        try:
            measured = measure(statement, case, evidence)
        except NotTestedError as reason:
            rows.append(row | {"why_not_tested": str(reason)})
            continue
        found.append(measured)
        rows.append(row | (of_level(bound, measured) if bound else of_pattern(measured)))
    verdict, some = NOT_TESTED, statement.some
    if found:
        verdict = level_verdict(bound, some, found) if bound else pattern_verdict(some, found)
    return [row | {"part_verdict": verdict} for row in rows]


def measure(statement: Statement, case: Case, evidence: Evidence) -> Any:
    """Give the `Sample` or `Statistic` of one case; raises `NotTestedError` where there is none."""
    evidence.require(statement.needs(case))
    if statement.bound:
        evidence.require_papers_setup(case)
    found = statement.measure(evidence, *case)
    if isinstance(found, Sample) and found.values.isna().all():
        raise NotTestedError(f"the number is undefined for {name_of(case)}")
    return found


def name_of(case: Case) -> str:
    """Name the networks of a case, the first and the last where there are many."""
    names = list(map(str, case))
    return ", ".join(names) if len(names) <= 3 else f"{names[0]} to {names[-1]}"


def of_level(bound: Bound, sample: Sample) -> dict:
    """Return the number of one case, and how it keeps to the bound."""
    found = estimate(sample.values, sample.limits)
    numbers = {"value": found.mean, "low": found.low, "high": found.high, "interval": found.basis}
    clear = interval_is_clear(bound, found.low, found.high)
    return numbers | {"about": sample.layers, "holds": bound.holds(found.mean), "clear": clear}


def interval_is_clear(bound: Bound, low: float, high: float) -> str:
    """Say whether all of an interval keeps to the bound, or nothing of it."""
    if pd.isna(low):
        return "no interval"
    lowest, highest = bound.kept()
    inside = lowest <= low and high <= highest
    return "yes" if inside or high < lowest or highest < low else "no"


def level_verdict(bound: Bound, some: bool, samples: list[Sample]) -> str:
    """Say whether the numbers keep to the bound, and whether a bound moved would say so."""
    values = [estimate(sample.values).mean for sample in samples]
    kept, *moved = (
        (any if some else all)(bound.holds(value, factor) for value in values)
        for factor in (1, *MOVED)
    )
    fragile = any(verdict != kept for verdict in moved)
    if kept:
        return FRAGILE if fragile else SUPPORTED
    return NOT_FRAGILE if fragile else NOT_SUPPORTED


def of_pattern(found: Statistic) -> dict:
    """Return the statistic of one case."""
    numbers = {"about": found.about, "value": found.value, "interval": found.basis}
    return numbers | {"p": found.p, "p_opposite": found.opposite, "holds": found.as_predicted}


def pattern_verdict(some: bool, found: list[Statistic]) -> str:
    """Say whether the p-values of all cases speak for the pattern or for its opposite."""
    p, opposite = combined(found)
    if some:  # one network is enough; by chance, one of several often seems to be
        p = min(1, len(found) * min(statistic.p for statistic in found))
    if (p < LEVEL) == (opposite < LEVEL):
        return UNDECIDED
    return PRESENT if p < LEVEL else ABSENT

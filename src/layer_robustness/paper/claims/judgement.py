"""From claims and results to verdicts, in two senses: of levels, and of patterns."""

from collections.abc import Iterable, Mapping

import pandas as pd

from layer_robustness.paper.claims.criteria import Case, Claim, Part
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError, estimate
from layer_robustness.paper.claims.patterns import PATTERNS, Pattern
from layer_robustness.paper.claims.statistics import LEVEL, combined

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
        patterns = [pattern for pattern in PATTERNS if pattern.claim == claim.number]
        levels = [of_levels(part, evidence) for part in claim.parts]
        senses = {"level": levels, "pattern": [of_pattern(p, evidence) for p in patterns]}
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


def of_levels(part: Part, evidence: Evidence) -> list[dict]:
    """Return a row for each case of a part."""
    rows = [measured(part, case, evidence) for case in part.cases]
    values = [row["value"] for row in rows if "value" in row]
    labels = {"criterion": part.criterion, "part_verdict": level_verdict(part, values)}
    return [labels | row for row in rows]


def level_verdict(part: Part, values: list[float]) -> str:
    """Say whether a part's numbers keep to its bound, and whether a bound moved would say so."""
    if not values:
        return NOT_TESTED
    kept, *moved = (
        (all if part.every else any)(part.holds(value, factor) for value in values)
        for factor in (1, *MOVED)
    )
    fragile = any(verdict != kept for verdict in moved)
    if kept:
        return FRAGILE if fragile else SUPPORTED
    return NOT_FRAGILE if fragile else NOT_SUPPORTED


def measured(part: Part, case: Case, evidence: Evidence) -> dict:
    """Return the number of one case, or why there is none."""
    try:
        evidence.require(case.needs)
        evidence.require_papers_setup(case.networks)
        sample = part.measure(evidence, *case.networks)
        if sample.values.isna().all():
            raise NotTestedError(f"the number is undefined for {case.name}")
    except NotTestedError as reason:
        return {"case": case.name, "why_not_tested": str(reason)}
    found = estimate(sample.values, sample.limits)
    return {
        "case": case.name,
        "about": sample.layers,
        "value": found.mean,
        "low": found.low,
        "high": found.high,
        "interval": found.basis,
        "holds": part.holds(found.mean),
        "clear": clear(part, found.low, found.high),
    }


def clear(part: Part, low: float, high: float) -> str:
    """Say whether all of an interval keeps to the bound, or nothing of it."""
    if pd.isna(low):
        return "no interval"
    lowest, highest = part.kept()
    inside = lowest <= low and high <= highest
    return "yes" if inside or high < lowest or highest < low else "no"


def of_pattern(pattern: Pattern, evidence: Evidence) -> list[dict]:
    """Return a row for each case of a pattern."""
    rows, found = [], []
    for case in pattern.cases:
        row = {"criterion": pattern.what, "case": case.name}
        try:
            evidence.require(case.needs)
            statistic = pattern.measure(evidence, *case.networks)
        except NotTestedError as reason:
            rows.append(row | {"why_not_tested": str(reason)})
            continue
        found.append(statistic)
        numbers = {"about": statistic.about, "value": statistic.value, "interval": statistic.basis}
        ps = {"p": statistic.p, "p_opposite": statistic.opposite}
        rows.append(row | numbers | ps | {"holds": statistic.as_predicted})
    verdict = NOT_TESTED
    if found:
        p, opposite = combined(found)
        if not pattern.every:  # one network is enough; by chance, one of several often seems to be
            p = min(1, len(found) * min(statistic.p for statistic in found))
        verdict = UNDECIDED
        if (p < LEVEL) != (opposite < LEVEL):
            verdict = PRESENT if p < LEVEL else ABSENT
    return [row | {"part_verdict": verdict} for row in rows]

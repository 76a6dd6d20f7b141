"""From claims and results to verdicts."""

from collections.abc import Iterable

import pandas as pd

from layer_robustness.paper.claims.criteria import Case, Claim, Part
from layer_robustness.paper.claims.evidence import Evidence, NotTestedError, estimate

SUPPORTED = "supported"
NOT_SUPPORTED = "not supported"
NOT_TESTED = "not tested here"

COLUMNS = [
    *("claim", "part", "criterion", "case", "about", "value", "low", "high", "interval"),
    *("holds", "clear", "why_not_tested", "part_verdict", "claim_verdict"),
]


def judge(claims: Iterable[Claim], results: Evidence) -> pd.DataFrame:
    """Return a row for each case of each part of each claim.

    claim, part, criterion, case, about
        The number measured: its bound is in the criterion; `about` names the layers.
    value, low, high, interval
        The mean and its 95% t-interval, cut at what the number can be, and what the interval is
        over; without one where there is one seed and one draw only.
    holds, clear
        Whether the mean keeps to the bound, and whether either all or nothing of the interval does.
    why_not_tested
        For a case that could not be measured; its numbers are empty.
    """
    found = []
    for claim in claims:
        rows = [
            row
            for number, part in enumerate(claim.parts, 1)
            for row in tested(part, number, results)
        ]
        verdict = combined({row["part"]: row["part_verdict"] for row in rows}.values())
        found += [row | {"claim": claim.number, "claim_verdict": verdict} for row in rows]
    return pd.DataFrame(found, columns=COLUMNS)


def tested(part: Part, number: int, results: Evidence) -> list[dict]:
    """Return a row for each case of a part."""
    rows = [measured(part, case, results) for case in part.cases]
    holds = [row["holds"] for row in rows if "holds" in row]
    verdict = NOT_TESTED
    if holds:
        verdict = SUPPORTED if (all if part.every else any)(holds) else NOT_SUPPORTED
    labels = {"part": number, "criterion": part.criterion, "part_verdict": verdict}
    return [labels | row for row in rows]


def measured(part: Part, case: Case, results: Evidence) -> dict:
    """Return the number of one case, or why there is none."""
    try:
        results.require(case.needs)
        if part.papers_data:
            results.require_papers_data(case.networks)
        sample = part.measure(results, *case.networks)
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
    lowest, highest = part.kept
    inside = lowest <= low and high <= highest
    return "yes" if inside or high < lowest or highest < low else "no"


def combined(verdicts: Iterable[str]) -> str:
    """Combine the verdicts of a claim's parts."""
    verdicts = set(verdicts)
    if NOT_SUPPORTED in verdicts:
        return NOT_SUPPORTED
    return SUPPORTED if SUPPORTED in verdicts else NOT_TESTED

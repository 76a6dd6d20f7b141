"""claims.md: the verdicts at a glance, then the numbers behind each."""

from collections.abc import Iterable

import pandas as pd

from layer_robustness.paper.claims.claims import Claim
from layer_robustness.paper.claims.judgement import NOT_TESTED

ABOUT_OTHERS = "**These verdicts say nothing about the paper's own networks.**"

HEAD = """\
# The paper's claims, judged by these results

What was run: {small_print}

{scope} Where data, width and epochs are the paper's, claims are judged by their *levels*: bounds
that were chosen so that the paper's own values keep to them. Elsewhere only by their *pattern*: an
order, a trend, or the sign of a difference, with one-sided p-values, which needs no bound.
docs/comparison.md tells how to read both.

Costs are shares of the way from the full model's test error (0) to chance (1); a layer is critical
to a source where resetting it costs over {critical:g}.
"""
# Columns of claims.csv and what they are called here.
SHOWN = {
    "level": {
        **{"case": "network", "about": "about", "value": "value", "interval": "95% interval"},
        **{"holds": "holds", "clear": "interval clear of the bound"},
    },
    "pattern": {
        **{"case": "network", "about": "about", "value": "statistic", "holds": "on its side"},
        **{"p": "p", "p_opposite": "p of the opposite", "interval": "from"},
    },
}


def markdown(claims: Iterable[Claim], rows: pd.DataFrame, head: str) -> str:
    """Return the text of claims.md, from what `judgement.judge` returns."""
    overview, blocks = [], []
    for claim in claims:
        of_claim = rows[rows["claim"] == claim.number]
        tested = of_claim[of_claim["holds"].notna()]
        by_level = (tested["sense"] == "level").any()
        if len(tested) and not by_level:
            of_claim = of_claim[of_claim["sense"] == "pattern"]  # the head says why
        counted = tested[tested["sense"] == ("level" if by_level else "pattern")]
        kept = (
            f"{int(counted['holds'].sum())} of {len(counted)} {'bounds' if by_level else 'panels'}"
        )
        verdict = of_claim["claim_verdict"].iloc[0]
        overview.append((claim.number, claim.text, verdict, kept if len(counted) else ""))
        blocks += [f"## {claim.number}. {claim.text}", f"{claim.shown_in} of the paper."]
        for _, of_part in of_claim.groupby(["sense", "part"], sort=False):
            blocks += part(of_part)
    columns = ["", "claim", "verdict", "as the paper says"]
    blocks = [
        head.strip(),
        pd.DataFrame(overview, columns=columns).to_markdown(index=False),
        *blocks,
    ]
    return "\n\n".join(blocks) + "\n"


def part(rows: pd.DataFrame) -> list[str]:
    """Return the criterion with its verdict, its numbers, and what was not tested."""
    first = rows.iloc[0]
    blocks = [f"**{first['part_verdict']}**: {first['criterion'].rstrip('.')}."]
    numbers = rows[rows["value"].notna()]
    if len(numbers):
        columns = SHOWN[first["sense"]]
        shown = written(numbers)[list(columns)].rename(columns=columns)
        blocks.append(shown.to_markdown(index=False, disable_numparse=True))
    reasons = rows["why_not_tested"].dropna().unique()
    if len(reasons):
        blocks.append(f"{NOT_TESTED.capitalize()}: {'; '.join(reasons)}.")
    return blocks


def written(numbers: pd.DataFrame) -> pd.DataFrame:
    """Return rows with their numbers as text."""
    intervals = zip(numbers["low"], numbers["high"], numbers["interval"], strict=True)
    return numbers.assign(
        value=numbers["value"].map("{:.3f}".format),
        interval=[
            f"{low:.3f} to {high:.3f} ({basis})" if pd.notna(low) else basis
            for low, high, basis in intervals
        ],
        holds=numbers["holds"].map({True: "yes", False: "no"}),
        p=numbers["p"].map("{:.2g}".format),
        p_opposite=numbers["p_opposite"].map("{:.2g}".format),
    )

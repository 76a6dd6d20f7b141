"""claims.md: the verdicts at a glance, then the numbers behind each."""

from collections.abc import Iterable

import pandas as pd

from layer_robustness.paper.claims.criteria import Claim
from layer_robustness.paper.claims.judgement import NOT_TESTED

HEAD = """\
# The paper's claims, judged by these results

{small_print}

Costs are shares of the way from the full model's test error (0) to chance (1); a layer is critical
to a source where resetting it costs over {critical:g}. Intervals are 95% t-intervals over seeds, or
of one seed over draws, cut at what the number can be. The bounds were chosen so that
the paper's own values meet them; docs/comparison.md says how to read them.
"""


def markdown(claims: Iterable[Claim], rows: pd.DataFrame, head: str) -> str:
    """Return the text of claims.md, from what `judgement.judge` returns."""
    claims = list(claims)
    blocks = [head, overview(claims, rows)]
    for claim in claims:
        of_claim = rows[rows["claim"] == claim.number]
        blocks += [f"## {claim.number}. {claim.text}", f"{claim.shown_in} of the paper."]
        for _, of_part in of_claim.groupby("part", sort=False):
            blocks += part(of_part)
    return "\n\n".join(block.strip() for block in blocks) + "\n"


def overview(claims: list[Claim], rows: pd.DataFrame) -> str:
    """Return a table of the verdicts."""
    lines = []
    for claim in claims:
        of_claim = rows[rows["claim"] == claim.number]
        verdicts = of_claim.groupby("part")["part_verdict"].first()
        tested = (verdicts != NOT_TESTED).sum()
        verdict = of_claim["claim_verdict"].iloc[0]
        holds = of_claim["holds"].dropna().astype(bool)  # numpy's own bools add up to a bool
        kept = f"{holds.sum()} of {len(holds)}"
        lines.append((claim.number, claim.text, verdict, f"{tested} of {len(verdicts)}", kept))
    columns = ["", "claim", "verdict", "parts tested", "bounds kept"]
    return pd.DataFrame(lines, columns=columns).to_markdown(index=False)


def part(rows: pd.DataFrame) -> list[str]:
    """Return the criterion with its verdict, its numbers, and what was not tested."""
    first = rows.iloc[0]
    blocks = [
        f"**{first['claim']}.{first['part']} {first['part_verdict']}**: {first['criterion']}."
    ]
    numbers = rows[rows["value"].notna()]
    if len(numbers):
        shown = {
            "network": numbers["case"],
            "about": numbers["about"],
            "value": numbers["value"].map("{:.3f}".format),
            "95% interval": [
                f"{low:.3f} to {high:.3f} ({basis})" if pd.notna(low) else basis
                for low, high, basis in zip(
                    numbers["low"], numbers["high"], numbers["interval"], strict=True
                )
            ],
            "holds": numbers["holds"].map({True: "yes", False: "no"}),
            "interval clear of the bound": numbers["clear"],
        }
        blocks.append(pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True))
    reasons = rows["why_not_tested"].dropna().unique()
    if len(reasons):
        blocks.append(f"Not tested: {'; '.join(reasons)}.")
    return blocks

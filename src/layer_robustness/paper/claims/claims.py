"""The paper's claims, as claims.yaml states them: levels, which have a bound, and patterns.

Costs are relative: 0 is the full model's test error, 1 is chance (paper/criticality.py, which also
says why a layer is critical over 0.2). So the same bounds serve a network that errs at 0.02 and
one that errs at 0.4.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import inf
from pathlib import Path
from typing import Any

import yaml

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.experiments.paths import PROBE, TRAINING
from layer_robustness.paper.claims import levels, patterns

TABLE = Path(__file__).with_name("claims.yaml")
MEASURES = {"level": levels, "pattern": patterns}

Case = tuple[Network, ...]  # what one number is measured on


@dataclass(frozen=True)
class Statement:
    """What a claim says of some networks.

    sense, part
        `level` or `pattern`, and its number among those of the claim.
    what
        The number, in words; of a pattern, a sentence that is true where it is present.
    measure
        Takes results and the networks of a case, and gives an `Estimate` or, of a pattern, a
        `Statistic`.
    lowest, highest
        The bound of a level.
    files
        The result files that it needs of each network; of one that was trained without its blocks,
        or with frozen ones, it needs the training alone.
    some
        Whether it is enough that it is true of one case; else it is said of all.
    """

    sense: str
    part: int
    what: str
    measure: Callable[..., Any]
    cases: tuple[Case, ...]
    lowest: float
    highest: float
    files: tuple[str, ...]
    some: bool

    @property
    def criterion(self) -> str:
        """The statement in words."""
        if self.sense == "pattern":
            return self.what
        if self.highest == inf:
            bound = f"at least {self.lowest:g}"
        else:
            either_way = " either way" if self.lowest == -self.highest else ""
            bound = f"at most {self.highest:g}{either_way}"
        return f"{self.what} is {bound}" + (", for at least one network" if self.some else "")

    def holds(self, number: float, factor: float = 1) -> bool:
        """Whether a number keeps to the bound, or to one moved by a factor."""
        return bool(factor * self.lowest <= number <= factor * self.highest)

    def needs(self, case: Case) -> list[tuple[Network, str]]:
        """Return the results that a case is judged by: networks, each with a result file."""
        return [(n, file) for n in case for file in ((TRAINING,) if n.treatment else self.files)]


@dataclass(frozen=True)
class Claim:
    """A claim: its number in resources/paper/README.md, our words, where the paper shows it."""

    number: int
    text: str
    shown_in: str
    statements: tuple[Statement, ...]

    @property
    def needs(self) -> tuple[tuple[Network, str], ...]:
        """The results it is judged by: networks, each with the name of a result file."""
        found = (need for s in self.statements for case in s.cases for need in s.needs(case))
        return tuple(dict.fromkeys(found))


def statement(sense: str, part: int, entry: dict) -> Statement:
    """Read an entry of claims.yaml.

    what
        See `Statement`, as of `files` (by default probe.csv) and `some`.
    of
        The cases: a network, or those of a line together. What a claim says of all its statements,
        such as `of`, stands beside its text.
    number
        The name of a `measure` in levels.py or patterns.py, its further arguments, and of a level
        the bound: `at least`, `at most` or, from minus to plus a number, `within`.
    """
    number = dict(entry["number"])
    within = number.pop("within", inf)
    return Statement(
        sense,
        part,
        entry["what"],
        lowest=number.pop("at least", -within),
        highest=number.pop("at most", within),
        measure=partial(getattr(MEASURES[sense], number.pop("measure")), **number),
        cases=tuple(tuple(map(parse_network, case.split())) for case in entry["of"]),
        files=tuple(entry.get("files", [PROBE])),
        some=entry.get("some", False),
    )


def read(table: Path = TABLE) -> tuple[Claim, ...]:
    """Read all claims."""
    claims = []
    for number, entry in enumerate(yaml.safe_load(table.read_text()), 1):
        statements = (
            statement(sense, part, entry | found)
            for sense in MEASURES
            for part, found in enumerate(entry.get(f"{sense}s", ()), 1)
        )
        claims.append(Claim(number, entry["text"], entry["shown_in"], tuple(statements)))
    return tuple(claims)


CLAIMS = read()

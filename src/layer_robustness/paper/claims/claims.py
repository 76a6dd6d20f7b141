"""The paper's claims, as claims.yaml states them: levels, which have a bound, and patterns.

Costs are relative: 0 is the full model's test error, 1 is chance (paper/criticality.py, which also
says why a layer is critical over 0.2). So the same bounds serve a network that errs at 0.02 and
one that errs at 0.4.
"""

import re
from collections.abc import Callable, Iterator
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
RELATIONS = ("at least", "at most", "within")

Case = tuple[Network, ...]  # what one number is measured on


@dataclass(frozen=True)
class Bound:
    """What a number has to keep to; "within" is from `-value` to `value`."""

    relation: str
    value: float

    def __str__(self) -> str:
        within = self.relation == "within"
        return f"at most {self.value:g} either way" if within else f"{self.relation} {self.value:g}"

    def kept(self, factor: float = 1) -> tuple[float, float]:
        """Return the lowest and the highest number that keep to the bound, or to one moved."""
        value = factor * self.value
        lowest = {"at least": value, "at most": -inf, "within": -value}[self.relation]
        return lowest, inf if self.relation == "at least" else value

    def holds(self, number: float, factor: float = 1) -> bool:
        """Whether a number keeps to the bound, or to one moved by a factor."""
        lowest, highest = self.kept(factor)
        return bool(lowest <= number <= highest)  # numpy's own truth values are written as such


@dataclass(frozen=True)
class Statement:
    """What a claim says of some networks: a level if it has a bound, else a pattern.

    what
        The number, in words; of a pattern, a sentence that is true where it is present.
    measure
        Takes results and the networks of a case, and gives a `Sample` or, of a pattern, a
        `Statistic`.
    files
        The result files that it needs of each network; of one that was trained without its blocks,
        or with frozen ones, it needs the training alone.
    some
        Whether it is enough that it is true of one case; else it is said of all.
    """

    what: str
    measure: Callable[..., Any]
    cases: tuple[Case, ...]
    bound: Bound | None
    files: tuple[str, ...]
    some: bool

    @property
    def criterion(self) -> str:
        """The statement in words."""
        where = ", for at least one network" if self.some else ""
        return f"{self.what} is {self.bound}{where}" if self.bound else self.what

    def needs(self, case: Case) -> list[tuple[Network, str]]:
        """Return the results that a case is judged by: networks, each with a result file."""
        return [(n, file) for n in case for file in ((TRAINING,) if n.treatment else self.files)]


@dataclass(frozen=True)
class Claim:
    """A claim: its number in resources/paper/README.md, our words, where the paper shows it."""

    number: int
    text: str
    shown_in: str
    levels: tuple[Statement, ...]
    patterns: tuple[Statement, ...]

    @property
    def needs(self) -> tuple[tuple[Network, str], ...]:
        """The results it is judged by: networks, each with the name of a result file."""
        statements = (*self.levels, *self.patterns)
        found = (need for s in statements for case in s.cases for need in s.needs(case))
        return tuple(dict.fromkeys(found))


def alternatives(text: str) -> Iterator[str]:
    """Yield what a text stands for: `vgg{11,13}` is vgg11 and vgg13."""
    found = re.search(r"\{([^}]*)\}", text)
    if not found:
        yield text
        return
    for choice in found[1].split(","):
        yield from alternatives(text[: found.start()] + choice + text[found.end() :])


def statement(entry: dict, measures: object) -> Statement:
    """Read an entry of claims.yaml.

    what
        See `Statement`, as of `files` (by default probe.csv) and `some`.
    of
        The cases: a network, or those of a line together; braces hold alternatives. What a claim
        says of all its statements, such as `of`, stands beside its text.
    number
        The name of a `measure` in levels.py or patterns.py, its further arguments, and of a level
        the bound: `at least`, `at most` or `within`.
    """
    of = [entry["of"]] if isinstance(entry["of"], str) else entry["of"]
    cases = (tuple(map(parse_network, case.split())) for text in of for case in alternatives(text))
    number = dict(entry["number"])
    bounds = [Bound(name, number.pop(name)) for name in RELATIONS if name in number]
    return Statement(
        what=entry["what"],
        measure=partial(getattr(measures, number.pop("measure")), **number),
        cases=tuple(cases),
        bound=bounds[0] if bounds else None,
        files=tuple(entry.get("files", [PROBE])),
        some=entry.get("some", False),
    )


def read(table: Path = TABLE) -> tuple[Claim, ...]:
    """Read all claims."""
    return tuple(
        Claim(
            number,
            entry["text"],
            entry["shown_in"],
            tuple(statement(entry | level, levels) for level in entry["levels"]),
            tuple(statement(entry | pattern, patterns) for pattern in entry.get("patterns", ())),
        )
        for number, entry in enumerate(yaml.safe_load(table.read_text()), 1)
    )


CLAIMS = read()

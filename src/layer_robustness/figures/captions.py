"""Captions of figures and tables, in Markdown."""

from layer_robustness.figures.figure import Figure
from layer_robustness.tables.registry import Table


def caption(target: Figure | Table, small_print: str) -> str:
    """Return title, explanation and small print."""
    kind = "Figure" if isinstance(target, Figure) else "Table"
    return f"**{kind} {target.number}.** {target.title}.\n\n{small_print}\n"

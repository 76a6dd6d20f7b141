"""Captions of figures and tables, in Markdown."""

from layer_robustness.figures.figure import Figure
from layer_robustness.figures.names import Sources, labelled
from layer_robustness.tables.registry import Table


def heading(target: Figure | Table, sources: Sources) -> str:
    """Return number and title: "**Figure 4.** Robustness of ... on CIFAR10 (digits)."."""
    kind = target.name.removesuffix(str(target.number)).capitalize()
    return f"**{kind} {target.number}.** {labelled(target.title, sources)}."


def caption(target: Figure | Table, small_print: str, sources: Sources) -> str:
    """Return number, title and caption, and below how it was computed.

    Parameters
    ----------
    sources
        Of each data set whose images are not the paper's own.
    """
    return f"{heading(target, sources)} {labelled(target.caption, sources)}\n\n{small_print}\n"

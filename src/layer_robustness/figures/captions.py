"""Captions of figures and tables, in Markdown."""

from typing import Protocol

from layer_robustness.figures.names import PAPERS_DATA, Sources, labelled


class Target(Protocol):
    """A figure or a table."""

    @property
    def name(self) -> str:
        """Such as `figure4`."""
        ...

    @property
    def number(self) -> int:
        """In the paper."""
        ...

    @property
    def title(self) -> str:
        """Without a full stop."""
        ...

    @property
    def caption(self) -> str:
        """What follows the title."""
        ...


def heading(target: Target, sources: Sources = PAPERS_DATA) -> str:
    """Return number and title: "**Figure 4.** Robustness of ... on CIFAR10 (digits)."."""
    kind = target.name.removesuffix(str(target.number)).capitalize()
    return f"**{kind} {target.number}.** {labelled(target.title, sources)}."


def caption(target: Target, small_print: str, sources: Sources = PAPERS_DATA) -> str:
    """Return number, title and caption, and below how it was computed.

    Parameters
    ----------
    sources
        Of each data set whose images are not the paper's own.
    """
    return f"{heading(target, sources)} {labelled(target.caption, sources)}\n\n{small_print}\n"

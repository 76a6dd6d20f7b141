"""How every table is written: Markdown, and LaTeX with booktabs."""

import pandas as pd

from layer_robustness.figures.captions import heading
from layer_robustness.figures.names import Sources, labelled
from layer_robustness.tables.registry import Table

LATEX = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": r"\textless{}",
        ">": r"\textgreater{}",
        "±": r"$\pm$",
        **{character: f"\\{character}" for character in "&%$#_{}"},
    }
)


def markdown(table: Table, shown: pd.DataFrame, small_print: str, sources: Sources) -> str:
    """Write a table as Markdown, the small print below."""
    numbers = len(table.columns)
    alignment = ["left"] * (len(shown.columns) - numbers) + ["right"] * numbers
    body = shown.to_markdown(index=False, disable_numparse=True, colalign=alignment)
    return f"{heading(table, sources)}\n\n{body}\n\n{small_print}\n"


def latex(table: Table, shown: pd.DataFrame, small_print: str, sources: Sources) -> str:
    """Write a table as a LaTeX float for `\\input`, the small print as a note below."""
    escaped = shown.map(lambda text: text.translate(LATEX))
    escaped.columns = [title.translate(LATEX) for title in shown.columns]
    float_ = escaped.style.hide(axis="index").to_latex(
        column_format="l" * (len(shown.columns) - len(table.columns)) + "r" * len(table.columns),
        hrules=True,
        position_float="centering",
        caption=f"{labelled(table.title, sources).translate(LATEX)}.",
        label=f"tab:{table.name}",
    )
    note = f"\\par\\smallskip{{\\footnotesize {small_print.translate(LATEX)}}}\n"
    end = "\\end{table}"
    return f"% Needs \\usepackage{{booktabs}}.\n{float_.replace(end, note + end)}"

"""Write a table: its .csv, and the same to be read as Markdown, LaTeX and HTML."""

from layer_robustness.commands import target
from layer_robustness.figures.captions import small_print
from layer_robustness.report import pages
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.tables import cells, style
from layer_robustness.tables.registry import TABLES


def main() -> None:
    """Write what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("table", choices=TABLES)
    arguments = parser.parse_args()
    table = TABLES[arguments.table]
    results = target.results(arguments)
    frame = cells.collect(table, results)
    sources = results.sources()
    shown = cells.layout(table, frame, sources)
    printed = small_print(table, arguments.preset, results)
    markdown = style.markdown(table, shown, printed, sources)
    texts = {
        ".csv": frame.to_csv(index=False),
        ".md": markdown,
        ".tex": style.latex(table, shown, printed, sources),
        ".html": pages.of_markdown(table.name, markdown),
    }
    target.write_texts(arguments.output, texts)


if __name__ == "__main__":
    exit_with_one_line(main)

"""Write comparison.csv, the paper's values beside ours, and its summary by panel (.csv, .html)."""

from pathlib import Path

from layer_robustness.commands import target
from layer_robustness.paper import values as paper
from layer_robustness.paper.comparison.agreement import summarize
from layer_robustness.paper.comparison.values import COMPARED, compare
from layer_robustness.report import pages
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Compare everything that the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("--paper", type=Path, required=True, help="folder of the paper's values")
    arguments = parser.parse_args()
    results = target.results(arguments)
    rows = compare(COMPARED, results, paper.load(arguments.paper))
    panels = summarize(rows, results.setups)
    target.write_texts(arguments.output, {".csv": rows.to_csv(index=False)})
    summary = arguments.output.with_stem(f"{arguments.output.stem}_panels")
    page = pages.of_table(summary.stem, panels)
    target.write_texts(summary, {".csv": panels.to_csv(index=False), ".html": page})


if __name__ == "__main__":
    exit_with_one_line(main)

"""Draw a figure: its .pdf, its .png, the .csv of exactly what is drawn, and its caption (.md)."""

import importlib

from layer_robustness.commands import target
from layer_robustness.figures import style
from layer_robustness.figures.captions import caption, small_print
from layer_robustness.figures.collect import collect
from layer_robustness.figures.registry import FIGURES
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Draw what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--error-scale", choices=("panel", "shared"), default="panel")
    arguments = parser.parse_args()
    figure = FIGURES[arguments.figure]
    results = target.results(arguments)
    # By name, so that an edit to one kind of drawing concerns only the figures of that kind.
    kind = importlib.import_module(f"layer_robustness.figures.{figure.kind}")
    frame = kind.collect(figure) if figure.kind == "blocks" else collect(figure, results)
    printed = small_print(figure, arguments.preset, results)
    sources = results.sources()
    texts = {".csv": frame.to_csv(index=False), ".md": caption(figure, printed, sources)}
    target.write_texts(arguments.output, texts)
    drawn = kind.draw(figure, frame, sources, arguments.error_scale)
    style.save(drawn, arguments.output, printed)


if __name__ == "__main__":
    exit_with_one_line(main)

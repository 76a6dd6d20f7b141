"""Draw a figure: its .pdf, its .png, the .csv of exactly what is drawn, and its caption (.md)."""

import importlib
from pathlib import Path

from layer_robustness.commands import target
from layer_robustness.figures import style
from layer_robustness.figures.captions import caption, small_print
from layer_robustness.figures.collect import collect, collect_blocks
from layer_robustness.figures.registry import FIGURES
from layer_robustness.runtime.errors import InputError, exit_with_one_line


def main() -> None:
    """Draw what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("figure", choices=FIGURES)
    parser.add_argument("--structure", type=Path, help="what commands.structure wrote; figure7")
    parser.add_argument("--error-scale", choices=("panel", "shared"), default="panel")
    arguments = parser.parse_args()
    figure = FIGURES[arguments.figure]
    results = target.results(arguments)
    if not figure.structure:
        frame = collect(figure, results)
    elif arguments.structure:
        frame = collect_blocks(figure, arguments.structure)
    else:
        raise InputError(f"{figure.name} needs --structure, a file that commands.structure wrote")
    # By name, so that an edit to one kind of drawing concerns only the figures of that kind.
    kind = importlib.import_module(f"layer_robustness.figures.{figure.kind}")
    printed = small_print(figure, arguments.preset, results)
    sources = results.sources()
    texts = {".csv": frame.to_csv(index=False), ".md": caption(figure, printed, sources)}
    target.write_texts(arguments.output, texts)
    drawn = kind.draw(figure, frame, sources, arguments.error_scale)
    style.save(drawn, arguments.output, printed)


if __name__ == "__main__":
    exit_with_one_line(main)

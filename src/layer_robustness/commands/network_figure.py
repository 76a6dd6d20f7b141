"""Draw a figure of networks beyond the paper: .pdf, .png, .csv of what is drawn, caption (.md)."""

import importlib
from collections.abc import Iterable
from dataclasses import replace

from layer_robustness.commands import target
from layer_robustness.experiments.manifest import Manifest
from layer_robustness.experiments.sources import INTERPOLATE
from layer_robustness.figures import style
from layer_robustness.figures.beyond.panels import Results
from layer_robustness.figures.beyond.registry import figures
from layer_robustness.figures.captions import each
from layer_robustness.networks.result import Result
from layer_robustness.runtime.errors import InputError, exit_with_one_line

COLUMNS = ("figure", "entry", "unit", "source", "quantity", "value", "draws")


def main() -> None:
    """Draw what the arguments name."""
    parser = target.parser(__doc__)
    parser.add_argument("figure", help="figureB1, networks, networks/vit, ...")
    arguments = parser.parse_args()
    results = {path.parent.name: Result.read(path) for path in arguments.results}
    known = figures(results)
    if arguments.figure not in known:
        raise InputError(f"{arguments.figure} is unknown: expected one of {', '.join(known)}")
    figure = known[arguments.figure]
    printed = small_print(arguments.preset, results, map(Manifest.load, arguments.manifests))
    kind = importlib.import_module(f"layer_robustness.figures.beyond.{figure.kind}")
    drawing, frame = kind.draw(figure, results)
    frame = frame.assign(figure=figure.name).reindex(columns=COLUMNS)
    caption = f"**{figure.heading}.** {figure.title}. {figure.caption}\n\n{printed}\n"
    if figure.kind == "single":
        (entry,) = figure.entries
        caption += f"\n{of_states(results[entry]).summary()}"
    target.write_texts(arguments.output, {".csv": frame.to_csv(index=False), ".md": caption})
    style.save(drawing, arguments.output, printed)


def of_states(result: Result) -> Result:
    """Leave out the places on the line, of which there are many."""
    on_line = result.frame["source"].str.startswith(INTERPOLATE)
    return replace(result, frame=result.frame[~on_line])


def small_print(preset: str, results: Results, manifests: Iterable[Manifest]) -> str:
    """Say what was measured: preset, data, epochs, test images and draws."""
    trained, frames = list(manifests), [result.frame for result in results.values()]
    parts = [f"{preset} preset"]
    if trained:
        parts.append(each((manifest.data.source for manifest in trained), ", "))
        parts.append(f"{each(manifest.recipe.epochs for manifest in trained)} epochs")
    images = each(frame["images"].iloc[0] for frame in frames)
    draws = each(1 + frame["draw"].max() for frame in frames)
    return f"{', '.join(parts)}; test images: {images}; draws: {draws}"


if __name__ == "__main__":
    exit_with_one_line(main)

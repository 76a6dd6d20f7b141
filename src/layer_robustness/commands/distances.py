"""Measure how far each unit is from its initial values, at every source: `distances.csv`."""

from pathlib import Path

from layer_robustness.checkpoints import code_digest
from layer_robustness.commands.over_experiments import weights_parser, write_each
from layer_robustness.data import Summary
from layer_robustness.distances import distances
from layer_robustness.errors import exit_with_one_line


def main() -> None:
    """Measure what the arguments name."""
    parser = weights_parser(__doc__)
    parser.add_argument(
        "--summary", type=Path, required=True, help="the .json beside the prepared data"
    )
    arguments = parser.parse_args()
    code_digest()
    summary = Summary.load(arguments.summary)

    def rows_of(trained):
        initial = trained.checkpoint(0)
        for (source, draw), state in trained.sources(arguments.draws).items():
            for unit in trained.network.unit_names:
                yield {
                    "unit": unit,
                    "source": source,
                    "draw": draw,
                    **distances(initial, state, unit),
                }

    write_each(arguments, summary, arguments.workers, "distances", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

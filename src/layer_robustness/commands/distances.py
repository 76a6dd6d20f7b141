"""Measure how far each unit is from its initial values, at every source: `distances.csv`."""

from layer_robustness.commands.over_experiments import parser, write_rows
from layer_robustness.distances import distances
from layer_robustness.errors import exit_with_one_line
from layer_robustness.memory import bounded_by


@bounded_by("probe.draws")
def main() -> None:
    """Measure what the arguments name."""
    arguments = parser(__doc__).parse_args()

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

    write_rows(arguments, "distances", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

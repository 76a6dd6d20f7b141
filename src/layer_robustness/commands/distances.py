"""Measure how far each unit is from its initial values, at every source: `distances.csv`."""

from collections.abc import Iterator

from layer_robustness.commands import measure
from layer_robustness.models.units import unit_modules
from layer_robustness.probing.distances import UNMEASURED, distances
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.training.trained import TrainedNetwork


def rows_of(trained: TrainedNetwork) -> Iterator[dict]:
    """Yield a row for each source and unit of a trained network."""
    initial = {} if trained.diverged else trained.state("0")
    for source, draw in trained.sources:
        state = {} if trained.diverged else trained.state(source, draw)
        for unit, modules in unit_modules(trained.experiment.network).items():
            leave_if_asked()
            measured = distances(initial, state, modules) if state else UNMEASURED
            yield {"unit": unit, "source": source, "draw": draw, **measured}


@bounded_by()
def main() -> None:
    """Measure what the arguments name."""
    measure.write_rows(measure.parser(__doc__).parse_args(), rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

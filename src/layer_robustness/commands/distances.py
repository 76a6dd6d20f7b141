"""Measure how far each unit is from its initial values, at every source: `distances.csv`."""

from pathlib import Path

from layer_robustness.commands.over_experiments import weights_parser, write_each
from layer_robustness.data.dataset import Summary
from layer_robustness.probing.distances import UNMEASURED, distances
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.interruption import leave_if_asked
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.training.checkpoints import code_digest


@bounded_by()
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
        for source, draw in trained.sources(arguments.draws):
            state = None if trained.diverged else trained.state(source, draw)
            for unit in trained.network.unit_names:
                leave_if_asked()
                measured = distances(initial, state, unit) if state else UNMEASURED
                yield {"unit": unit, "source": source, "draw": draw, **measured}

    write_each(arguments, summary, arguments.workers, "distances", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

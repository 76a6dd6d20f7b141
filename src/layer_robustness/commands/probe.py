"""Reset every single unit, and the whole network, to every source: `probe.csv`."""

from collections.abc import Iterator

from layer_robustness.commands import measure
from layer_robustness.commands.probe_arguments import add_memory, memory_of
from layer_robustness.data.dataset import Dataset
from layer_robustness.probing.rows import FULL_MODEL, reset_rows
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.training.trained import TrainedNetwork


@bounded_by("probe.memory_gb or probe.draws")
def main() -> None:
    """Probe what the arguments name."""
    parser = measure.parser(__doc__)
    measure.add_data(parser)
    add_memory(parser)
    arguments = parser.parse_args()
    code_digest("probe")

    def rows_of(trained: TrainedNetwork, dataset: Dataset) -> Iterator[dict]:
        units = trained.experiment.network.units
        groups = {unit: (unit,) for unit in units} | {FULL_MODEL: units}
        return reset_rows(trained, dataset, groups, memory_of(arguments), "probe")

    measure.write_tested(arguments, rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

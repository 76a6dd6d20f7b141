"""Reset groups of units jointly, and the units outside them, to every source: `joint.csv`."""

from collections.abc import Iterator

from layer_robustness.commands import measure
from layer_robustness.commands.probe_arguments import add_memory, memory_of
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.groups import GROUPS, complement, members
from layer_robustness.probing.rows import reset_rows
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
    parser.add_argument("--groups", nargs="+", required=True, choices=GROUPS)
    arguments = parser.parse_args()
    code_digest("probe")

    def rows_of(trained: TrainedNetwork, dataset: Dataset) -> Iterator[dict]:
        network = trained.experiment.network
        inside = {name: members(network, name) for name in arguments.groups}
        outside = {f"not {name}": complement(network, name) for name in arguments.groups}
        return reset_rows(trained, dataset, inside | outside, memory_of(arguments), "joint")

    measure.write_tested(arguments, rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

"""Reset units to every source: one at a time (`probe.csv`), or groups jointly (`joint.csv`)."""

from collections.abc import Iterator

from layer_robustness.commands import measure
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.groups import GROUPS, complement, members
from layer_robustness.probing.rows import FULL_MODEL, reset_rows
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.training.trained import TrainedNetwork

GIGABYTE = 10**9


@bounded_by("probe.memory_gb or probe.draws")
def main() -> None:
    """Probe what the arguments name."""
    parser = measure.parser(__doc__)
    measure.add_data(parser)
    parser.add_argument("--memory", type=float, default=2, help="for activations, in GB")
    parser.add_argument(
        "--groups",
        nargs="+",
        choices=GROUPS,
        help="reset each jointly, and the units outside it; without this single units and all",
    )
    arguments = parser.parse_args()
    code_digest("probe")

    def rows_of(trained: TrainedNetwork, dataset: Dataset) -> Iterator[dict]:
        network = trained.experiment.network
        memory = int(arguments.memory * GIGABYTE / arguments.workers)
        if not arguments.groups:
            units = {unit: (unit,) for unit in network.units} | {FULL_MODEL: network.units}
            return reset_rows(trained, dataset, units, memory, "probe")
        inside = {name: members(network, name) for name in arguments.groups}
        outside = {f"not {name}": complement(network, name) for name in arguments.groups}
        return reset_rows(trained, dataset, inside | outside, memory, "joint")

    measure.write_tested(arguments, rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

"""Reset groups of units jointly, and the units outside them, to every source: `joint.csv`."""

from layer_robustness.commands.over_experiments import write_rows
from layer_robustness.commands.probe_arguments import probe_limits, probe_parser
from layer_robustness.experiments.groups import GROUPS, complement, members
from layer_robustness.probing.rows import reset_rows
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by


@bounded_by("probe.memory_gb, probe.micro_batch or probe.draws")
def main() -> None:
    """Probe what the arguments name."""
    parser = probe_parser(__doc__)
    parser.add_argument("--groups", nargs="+", required=True, choices=GROUPS)
    arguments = parser.parse_args()
    limits = probe_limits(arguments)

    def rows_of(trained):
        network = trained.experiment.network
        inside = {name: members(network, name) for name in arguments.groups}
        outside = {f"not {name}": complement(network, name) for name in arguments.groups}
        return reset_rows(trained, inside | outside, limits, "joint")

    write_rows(arguments, "joint", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

"""Reset every single unit, and the whole network, to every source: `probe.csv`."""

from layer_robustness.commands.over_experiments import write_rows
from layer_robustness.commands.probe_arguments import probe_limits, probe_parser
from layer_robustness.probing.rows import FULL_MODEL, reset_rows
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by


@bounded_by("probe.memory_gb, probe.micro_batch or probe.draws")
def main() -> None:
    """Probe what the arguments name."""
    arguments = probe_parser(__doc__).parse_args()
    limits = probe_limits(arguments)

    def rows_of(trained):
        units = trained.network.unit_names
        groups = {unit: (unit,) for unit in units} | {FULL_MODEL: units}
        return reset_rows(trained, groups, limits, "probe")

    write_rows(arguments, "probe", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

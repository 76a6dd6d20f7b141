"""Attack the stochastic classifiers of trained networks: `adversarial.csv`."""

import json

from layer_robustness.attacks.accuracy import Settings, adversarial_rows
from layer_robustness.commands.over_experiments import parser, write_rows
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by


@bounded_by("adversarial.batch_size")
def main() -> None:
    """Attack what the arguments name."""
    extended = parser(__doc__)
    extended.add_argument(
        "--replaced",
        type=int,
        nargs="+",
        required=True,
        help="stages in which a block is replaced; 0 is the baseline",
    )
    extended.add_argument("--settings", type=json.loads, required=True, metavar="JSON")
    arguments = extended.parse_args()
    settings = Settings(**arguments.settings)

    def rows_of(trained):
        return adversarial_rows(trained, arguments.draws, arguments.replaced, settings)

    write_rows(arguments, "adversarial", rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

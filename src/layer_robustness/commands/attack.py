"""Attack the stochastic classifiers of trained networks: `adversarial.csv`."""

from collections.abc import Iterator

from layer_robustness.attacks.accuracy import adversarial_rows
from layer_robustness.attacks.settings import Settings
from layer_robustness.commands import measure
from layer_robustness.data.dataset import Dataset
from layer_robustness.experiments.flags import add_flags, from_flags
from layer_robustness.runtime.code import code_digest
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.runtime.memory import bounded_by
from layer_robustness.training.trained import TrainedNetwork


@bounded_by("adversarial.batch_size")
def main() -> None:
    """Attack what the arguments name."""
    parser = measure.parser(__doc__)
    measure.add_data(parser)
    parser.add_argument("--draws", type=int, required=True, help="fresh draws of each block")
    parser.add_argument(
        "--replaced",
        type=int,
        nargs="+",
        required=True,
        help="stages in which a block is replaced; 0 is the baseline",
    )
    add_flags(parser, Settings)
    arguments = parser.parse_args()
    code_digest("attack")
    settings = from_flags(arguments, Settings)

    def rows_of(trained: TrainedNetwork, dataset: Dataset) -> Iterator[dict]:
        return adversarial_rows(trained, dataset, arguments.draws, arguments.replaced, settings)

    measure.write_tested(arguments, rows_of)


if __name__ == "__main__":
    exit_with_one_line(main)

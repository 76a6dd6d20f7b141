"""What each table of the paper shows. A table is an entry here, not a function of its own."""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from layer_robustness.experiments import paths
from layer_robustness.experiments.names import Network, parse_network

# The result file that each quantity is read from.
FILES = {
    "test_error": paths.TRAINING,
    "reinit_error": paths.PROBE,
    "accuracy": paths.ADVERSARIAL,
}

# r of Table 2: fresh draws of each residual block.
DRAWS = 4


class Row(NamedTuple):
    """One row: a network, and in Table 2 of how many stages, s, a block is replaced."""

    dataset: str
    architecture: str
    replaced: int = 0


@dataclass(frozen=True)
class Column:
    """One column: a quantity of one model in each row.

    name
        In the table's CSV and in resources/paper.
    model
        May name the row's `{architecture}`.
    quantity
        `test_error` of the trained network; `reinit_error`: the error with one residual block
        re-initialized; or `accuracy` under the attack of this name.
    """

    name: str
    title: str
    model: str = "{architecture}"
    quantity: Literal["test_error", "reinit_error", "accuracy"] = "test_error"

    @property
    def headings(self) -> tuple[str, str, str]:
        """Names in the CSV of the mean, its standard deviation, and seeds left out.

        The paper prints the deviation of all but a `test_error`; that one's is over seeds.
        """
        mean = self.name if self.quantity == "test_error" else f"{self.name}_mean"
        return mean, f"{self.name}_std", f"{self.name}_did_not_train"

    def network(self, row: Row) -> Network:
        """Return the network of a row."""
        return parse_network(f"{row.dataset}/{self.model.format(architecture=row.architecture)}")


@dataclass(frozen=True)
class Table:
    """One table of errors or accuracies in percent.

    kind
        Of errors, or of accuracies under attack.
    decimals
        As many as the paper prints.
    caption
        What follows the title, in Markdown.
    """

    number: int
    kind: Literal["errors", "adversarial"]
    title: str
    rows: tuple[Row, ...]
    columns: tuple[Column, ...]
    decimals: int
    section: str
    caption: str

    @property
    def name(self) -> str:
        """Name of target and files."""
        return f"table{self.number}"

    @property
    def needs(self) -> tuple[tuple[Network, str], ...]:
        """The results it is computed from: networks, each with the name of a result file."""
        pairs = ((c.network(row), FILES[c.quantity]) for row in self.rows for c in self.columns)
        return tuple(dict.fromkeys(pairs))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of all cells, each once."""
        return tuple(dict.fromkeys(network for network, _ in self.needs))


def resnets(dataset: str, *depths: int) -> tuple[Row, ...]:
    """Make a row of each depth."""
    return tuple(Row(dataset, f"resnet{depth}") for depth in depths)


TABLES = {
    table.name: table
    for table in (
        Table(
            1,
            "errors",
            "Test error (%) of ResNets whose residual blocks but the first of each stage are "
            "re-initialized one at a time, frozen in training, or removed",
            (*resnets("cifar10", 50, 101, 152), *resnets("imagenet", 50, 101, 152)),
            (
                Column("full_error", "full model"),
                Column(
                    "whole_layer_reinit_error", "one block re-initialized", quantity="reinit_error"
                ),
                Column("frozen_error", "blocks frozen", "{architecture}+frozen"),
                # Without these blocks the three depths are the same network.
                Column("removed_error", "blocks removed", "resnet50+removed"),
            ),
            decimals=2,
            section="4 Joint robustness",
            caption=(
                "Test error in percent of ResNets: trained as usual; with one residual block "
                "re-initialized to epoch 0, mean and standard deviation over all blocks but "
                "the first of each stage; with all these blocks frozen at their initial "
                "values during training; and with them removed before training, which makes "
                "the three depths the same network."
            ),
        ),
        Table(
            2,
            "adversarial",
            "Accuracy (%) under attack, on CIFAR10, of classifiers that replace a residual block "
            "of s stages by one of r fresh draws at each inference",
            (
                *(Row("cifar10", "resnet4^2", replaced) for replaced in (0, 1, 2)),
                *(Row("cifar10", "resnet4^4", replaced) for replaced in (0, 1, 2, 4)),
            ),
            (
                Column("clean", "no attack", quantity="accuracy"),
                Column("fgsm", "FGSM", quantity="accuracy"),
                Column("pgd", "PGD", quantity="accuracy"),
                Column("pgd_eot", "PGD + EoT", quantity="accuracy"),
            ),
            decimals=2,
            section="6 Stochastic classifiers",
            caption=(
                "Accuracy in percent of networks and of classifiers made from them, without "
                "attack and under FGSM and PGD: mean and standard deviation over repetitions. "
                "At each inference a stochastic classifier picks s stages at random, and in "
                "each of them replaces one residual block by one of its r fresh draws. The "
                "last column is not in the paper: there PGD follows gradients that are "
                "averaged over the random choices (expectation over transformation, EoT). "
                "Without that, attacks are misled by the randomness and a stochastic "
                "classifier looks more robust than it is."
            ),
        ),
        Table(
            3,
            "errors",
            "Test error (%) with and without weight decay (wd) and batch normalization (bn)",
            (
                *resnets("cifar10", 18, 34, 50, 101, 152),
                *(Row("cifar10", f"vgg{depth}") for depth in (11, 13, 16, 19)),
                *resnets("imagenet", 18, 34, 50, 101, 152),
            ),
            (
                Column("plain", "plain"),
                Column("wd", "+wd", "{architecture}+wd"),
                Column("bn", "+bn", "{architecture}+bn"),
                Column("wd_bn", "+wd+bn", "{architecture}+wd+bn"),
            ),
            decimals=1,
            section="Appendix",
            caption=(
                "Test error in percent of every architecture, trained plainly, with weight "
                "decay (wd), with batch normalization (bn), and with both."
            ),
        ),
    )
}

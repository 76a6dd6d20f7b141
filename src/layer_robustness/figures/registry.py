"""What each figure of the paper shows. A figure is an entry here, not a function of its own."""

from dataclasses import dataclass
from typing import Literal

from layer_robustness.experiments import Network, parse_network

WIDTHS = (16, 32, 64, 128, 256, 512)


@dataclass(frozen=True)
class Panel:
    """One panel: which networks, which quantity, and for joint resets which group of units.

    A quantity is `test_error` or a column of `distances.csv`.
    """

    letter: str
    networks: tuple[Network, ...]
    quantity: str = "test_error"
    group: str = ""
    title: str = ""

    @property
    def file(self) -> str:
        """Name of the result file that the panel reads, of each experiment."""
        if self.quantity.startswith("dist"):
            return "distances.csv"
        return "joint.csv" if self.group else "probe.csv"


@dataclass(frozen=True)
class Figure:
    """One figure: panels of one kind, `across` of them side by side.

    kind
        The module of this package that draws it.
    transposed
        Units along the horizontal axis.
    """

    number: int
    kind: Literal["heatmap", "bars"]
    title: str
    panels: tuple[Panel, ...]
    across: int
    section: str
    transposed: bool = False

    @property
    def name(self) -> str:
        """Name of target and files."""
        return f"figure{self.number}"

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of all panels, each once."""
        return tuple(dict.fromkeys(network for panel in self.panels for network in panel.networks))


def panel(letter: str, network: str, **rest: str) -> Panel:
    """Make a panel of one network by its name."""
    return Panel(letter, (parse_network(network),), **rest)


def widths(letter: str, dataset: str, title: str) -> Panel:
    """Make a panel of Figure 2: FCNs of two depths and all widths."""
    networks = (Network(dataset, f"fcn{depth}x{width}") for depth in (3, 5) for width in WIDTHS)
    return Panel(letter, tuple(networks), title=title)


FIGURES = {
    figure.name: figure
    for figure in (
        Figure(
            1,
            "heatmap",
            "Robustness of the layers of FCN 3x256 on MNIST",
            (
                panel("a", "mnist/fcn3x256", title="Test error"),
                panel(
                    "b", "mnist/fcn3x256", quantity="dist_l2", title="Normalized 2-norm distance"
                ),
                panel("c", "mnist/fcn3x256", quantity="dist_linf", title="Infinity-norm distance"),
            ),
            across=3,
            section="3.1 Fully connected networks",
        ),
        Figure(
            2,
            "bars",
            "Robustness of the upper layers of FCNs to re-initialization, by width",
            (widths("a", "mnist", "MNIST"), widths("b", "cifar10", "CIFAR10")),
            across=2,
            section="3.1 Fully connected networks",
        ),
        Figure(
            8,
            "heatmap",
            "Joint robustness of the layers of FCN 5x256 on MNIST",
            (
                panel("a", "mnist/fcn5x256", group="all_but_first", title="Layers 2-6"),
                panel("b", "mnist/fcn5x256", group="two_of_three", title="Layers 2, 3, 5, 6"),
                panel("c", "mnist/fcn5x256", group="every_second", title="Layers 2, 4, 6"),
            ),
            across=3,
            section="4 Joint robustness",
        ),
    )
}

"""What a figure is made of: panels, each of some networks and a quantity."""

from dataclasses import dataclass
from typing import Literal

from layer_robustness.experiments import paths
from layer_robustness.experiments.names import Network

PAPERS = 18  # figures in the paper; those with higher numbers are your own


@dataclass(frozen=True)
class Panel:
    """One panel: which networks, which quantity, and for joint resets which group of units.

    A quantity is `test_error` or a column of `distances.csv`. A panel of Figure 7 shows no
    network's results but the inside of a residual block: the unit of that name.
    """

    title: str
    networks: tuple[Network, ...] = ()
    quantity: str = "test_error"
    group: str = ""
    unit: str = ""
    name: str = ""  # such as 3a, which its figure gives it

    @property
    def letter(self) -> str:
        """`a` of 3a."""
        return self.name[-1]

    @property
    def file(self) -> str:
        """Name of the result file that the panel reads, of each experiment."""
        if self.quantity.startswith("dist"):
            return paths.DISTANCES
        return paths.JOINT if self.group else paths.PROBE

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers of its only network that it shows, in order.

        Last comes `fullmodel`, the whole network reset, where single layers' errors are shown.
        """
        (network,) = self.networks
        alone = self.quantity == "test_error" and not self.group
        return (*network.units, "fullmodel") if alone else network.units


@dataclass(frozen=True)
class Figure:
    """One figure: panels of one kind, laid out in rows.

    kind
        The module of this package that draws it.
    caption
        What follows the title, in Markdown.
    rows
        Number of panels in each row, from the top; all in one row if none are given.
    transposed
        Layers along the horizontal axis.
    """

    number: int
    kind: Literal["heatmap", "bars", "lines", "blocks"]
    title: str
    caption: str
    panels: tuple[Panel, ...]
    rows: tuple[int, ...] = ()
    section: str = "Appendix"
    transposed: bool = False

    @property
    def name(self) -> str:
        """Name of target and files."""
        return f"figure{self.number}"

    @property
    def needs(self) -> tuple[tuple[Network, str], ...]:
        """The results it is drawn from: networks, each with the name of a result file."""
        pairs = ((network, panel.file) for panel in self.panels for network in panel.networks)
        return tuple(dict.fromkeys(pairs))

    @property
    def networks(self) -> tuple[Network, ...]:
        """The networks of all panels, each once."""
        return tuple(dict.fromkeys(network for network, _ in self.needs))

    @property
    def in_paper(self) -> bool:
        """Whether the paper has it, so that its values can be compared with the paper's."""
        return self.number <= PAPERS

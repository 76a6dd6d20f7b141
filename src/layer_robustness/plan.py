"""What has to be built: the bridge between config, registry and the workflow's rules."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from layer_robustness.config import recipe_entry, recipe_of, seeds_of
from layer_robustness.experiments import Experiment, Network
from layer_robustness.figures.registry import FIGURES, Figure


@dataclass(frozen=True)
class Family:
    """Networks that are trained, and probed, by one job.

    The small networks of Figure 2 train in less time than a process takes to start. Those that
    the same figures need share one job, so that one figure never trains what only another needs.
    """

    name: str
    networks: tuple[Network, ...]

    @property
    def dataset(self) -> str:
        """The data set of all its networks."""
        return self.networks[0].dataset

    @property
    def rule(self) -> str:
        """Its part of a rule's name."""
        return self.name.replace("/", "_").replace("+", "_")


@dataclass(frozen=True)
class Plan:
    """Everything that a checked config asks for."""

    config: dict
    figures: tuple[Figure, ...] = tuple(FIGURES.values())

    @property
    def results(self) -> str:
        """Folder of the preset's results."""
        return f"results/{self.config['preset']}"

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Networks of all figures whose data set has a source."""
        networks = dict.fromkeys(network for figure in self.figures for network in figure.networks)
        return tuple(network for network in networks if network.dataset in self.config["datasets"])

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """The networks by job, in the order of the figures."""
        together = defaultdict(list)
        for network in self.networks:
            wanted_by = [figure.name for figure in self.figures if network in figure.networks]
            together[network.dataset, *wanted_by].append(network)
        return tuple(
            Family(
                f"{dataset}/{'_'.join(wanted_by)}" if networks[1:] else str(networks[0]),
                tuple(networks),
            )
            for (dataset, *wanted_by), networks in together.items()
        )

    @property
    def joint_families(self) -> tuple[Family, ...]:
        """Each network of which groups of units are reset jointly, alone."""
        joint = filter(self.joint_groups, self.networks)
        return tuple(Family(str(network), (network,)) for network in joint)

    def experiments(self, networks: Iterable[Network]) -> list[Experiment]:
        """Return all seeds of some networks."""
        return [
            network.seed(seed)
            for network in networks
            for seed in range(seeds_of(self.config, network))
        ]

    def files(self, networks: Iterable[Network], name: str) -> list[str]:
        """Paths of one result file of every experiment."""
        return [f"{self.results}/{experiment}/{name}" for experiment in self.experiments(networks)]

    def recipes(self, family: Family) -> dict[str, dict]:
        """Recipe and seeds of each network, of builtin types."""
        return {str(network): recipe_entry(self.config, network) for network in family.networks}

    def source(self, dataset: str) -> str:
        """The configured source of a data set."""
        return self.config["datasets"][dataset]

    def joint_groups(self, network: Network) -> list[str]:
        """Groups that some figure resets jointly in a network."""
        panels = (panel for figure in self.figures for panel in figure.panels)
        return [panel.group for panel in panels if panel.group and network in panel.networks]

    def figure_files(self, figure: Figure) -> list[str]:
        """Result files that a figure reads."""
        files = dict.fromkeys(
            file
            for panel in figure.panels
            for file in self.files(
                [network for network in panel.networks if network in self.networks], panel.file
            )
        )
        return list(files)

    def figure_seeds(self, figure: Figure) -> dict[str, int]:
        """Seeds of each network of a figure that is trained."""
        return {
            str(network): seeds_of(self.config, network)
            for network in figure.networks
            if network in self.networks
        }

    def small_print(self, figure: Figure) -> str:
        """Say which preset, data, epochs, seeds and draws a figure was computed from."""
        ran = [network for network in figure.networks if network in self.networks]
        data = dict.fromkeys(f"{n.dataset} = {self.source(n.dataset)}" for n in ran)
        epochs = dict.fromkeys(str(recipe_of(self.config, network).epochs) for network in ran)
        seeds = dict.fromkeys(str(seeds_of(self.config, network)) for network in ran)
        draws = f", draws of rerand: {self.config['probe']['draws']} each"
        return (
            f"{self.config['preset']} preset, {', '.join(data)}, {'/'.join(epochs)} epochs; "
            f"seeds: {'/'.join(seeds)}{draws if figure.kind == 'heatmap' else ''}; means are shown"
        )

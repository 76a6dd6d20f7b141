"""What has to be built: the bridge between config, registries and the workflow's rules."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cached_property

from layer_robustness.experiments.names import Experiment, Network, parse_experiment
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.registry import FIGURES
from layer_robustness.planning.config import missing_source, recipe_of, seeds_of
from layer_robustness.tables.registry import TABLES, Table

Target = Figure | Table


@dataclass(frozen=True)
class Family:
    """Experiments of one data set that are trained, and probed, by one job.

    Small networks train in less time than a process takes to start. Those that the same figures
    and tables need share one job, so that one figure never trains what only another needs.
    """

    name: str
    experiments: tuple[Experiment, ...]

    @property
    def dataset(self) -> str:
        """The data set of all its experiments."""
        return self.experiments[0].network.dataset

    @property
    def rule(self) -> str:
        """Its part of a rule's name."""
        return re.sub(r"\W", "_", self.name)

    @property
    def names(self) -> list[str]:
        """Names of its experiments."""
        return list(map(str, self.experiments))


@dataclass(frozen=True)
class Plan:
    """Everything that a checked config asks for."""

    config: dict
    targets: tuple[Target, ...] = (*FIGURES.values(), *TABLES.values())

    @property
    def results(self) -> str:
        """Folder of the preset's results."""
        return f"results/{self.config['preset']}"

    def source(self, dataset: str) -> str:
        """The configured source of a data set."""
        return self.config["datasets"][dataset]

    @cached_property
    def networks(self) -> tuple[Network, ...]:
        """Networks of all figures and tables whose data set has a source."""
        networks = dict.fromkeys(n for target in self.targets for n in target.networks)
        return tuple(n for n in networks if not missing_source(self.config, n.dataset))

    @cached_property
    def experiments(self) -> tuple[Experiment, ...]:
        """All seeds of those networks, and the experiments that the config names."""
        wanted = [experiment for network in self.networks for experiment in self.seeds(network)]
        named = map(parse_experiment, self.config["experiments"])
        return tuple(dict.fromkeys([*wanted, *named]))

    def seeds(self, network: Network) -> list[Experiment]:
        """Return the experiments of a network that figures and tables need."""
        return [network.seed(seed) for seed in range(seeds_of(self.config, network))]

    @cached_property
    def families(self) -> tuple[Family, ...]:
        """The experiments by job, in the order of the figures."""
        together = defaultdict(list)
        for experiment in self.experiments:
            together[self.job(experiment)].append(experiment)
        return tuple(Family(job, tuple(experiments)) for job, experiments in together.items())

    def job(self, experiment: Experiment) -> str:
        """Name the job that an experiment is a part of."""
        network = experiment.network
        separate = network.kind != "fcn" and self.config["convolutional_jobs"] == "separate"
        if separate or experiment not in self.wanted:
            return str(experiment)
        alike = [n for n in self.networks if self.wanted_by[n] == self.wanted_by[network]]
        if alike == [network]:
            return str(network)
        return "/".join(self.wanted_by[network])

    @cached_property
    def wanted(self) -> frozenset[Experiment]:
        """The experiments that figures and tables need."""
        return frozenset(e for network in self.networks for e in self.seeds(network))

    @cached_property
    def wanted_by(self) -> dict[Network, tuple[str, str]]:
        """The data set of each network, and the figures and tables that need it."""
        return {
            network: (
                network.dataset,
                "_".join(target.name for target in self.targets if network in target.networks),
            )
            for network in self.networks
        }

    @cached_property
    def joint_families(self) -> tuple[Family, ...]:
        """The experiments of which groups of units are reset jointly: a network's in a job."""
        families = []
        for family in self.families:
            networks = dict.fromkeys(experiment.network for experiment in family.experiments)
            for network in filter(self.joint_groups, networks):
                of_network = tuple(e for e in family.experiments if e.network == network)
                alone = len(networks) == 1
                families.append(Family(family.name if alone else str(network), of_network))
        return tuple(families)

    @cached_property
    def attacked_families(self) -> tuple[Family, ...]:
        """The experiments that are attacked, each by a job of its own."""
        attacked = (e for e in self.experiments if self.replaced(e.network))
        return tuple(Family(str(experiment), (experiment,)) for experiment in attacked)

    def files(self, experiments: Iterable[Experiment], name: str) -> list[str]:
        """Paths of one result file of every experiment."""
        return [f"{self.results}/{experiment}/{name}" for experiment in experiments]

    def checkpoints(self, experiments: Iterable[Experiment]) -> list[str]:
        """Paths of the checkpoints that are kept of some experiments."""
        return [
            f"{self.results}/{experiment}/checkpoints/epoch{epoch}.safetensors"
            for experiment in experiments
            for epoch in recipe_of(self.config, experiment.network).checkpoints
        ]

    def trained(self, family: Family) -> dict[str, str]:
        """Return all files that training writes, each under a name of its own.

        Snakemake's cache keeps files of one job apart by these names.
        """
        names = ("checkpoints.json", "training.csv")
        paths = [path for name in names for path in self.files(family.experiments, name)]
        return {
            re.sub(r"\W", "_", path.removeprefix(f"{self.results}/").rpartition(".")[0]): path
            for path in [*self.checkpoints(family.experiments), *paths]
        }

    def recipes(self, family: Family) -> dict[str, dict]:
        """Recipe and seeds of each network, of builtin types."""
        entries = {}
        for experiment in family.experiments:
            network = experiment.network
            recipe = asdict(recipe_of(self.config, network))
            entries.setdefault(str(network), {"seeds": [], **recipe})["seeds"] += [experiment.seed]
        return entries

    def joint_groups(self, network: Network) -> list[str]:
        """Groups that some figure resets jointly in a network."""
        panels = (panel for target in self.targets for panel in getattr(target, "panels", ()))
        groups = (panel.group for panel in panels if panel.group and network in panel.networks)
        return list(dict.fromkeys(groups))

    def replaced(self, network: Network) -> list[int]:
        """Numbers of stages of which the classifiers of a table replace a residual block."""
        tables = (target for target in self.targets if target.kind == "adversarial")
        rows = (row for table in tables for row in table.rows)
        return [row[2] for row in rows if row[:2] == (network.dataset, network.model)]

    def ran(self, target: Target) -> Sequence[Network]:
        """Networks of a figure or table that are trained."""
        return [network for network in target.networks if network in self.networks]

    def target_files(self, target: Target) -> list[str]:
        """Result files that a figure or table reads."""
        files = dict.fromkeys(
            file
            for network, name in target.needs
            if network in self.networks
            for file in self.files(self.seeds(network), name)
        )
        return list(files)

    def target_seeds(self, target: Target) -> dict[str, int]:
        """Seeds of each network of a figure or table that is trained."""
        return {str(network): seeds_of(self.config, network) for network in self.ran(target)}

    def setups(self, networks: Iterable[Network]) -> dict[str, dict]:
        """How those of the networks that are trained are run, of builtin types: `paper.setups`."""
        found = {}
        for network in networks:
            if network in self.networks:
                recipe = recipe_of(self.config, network)
                found[str(network)] = {
                    "data": self.source(network.dataset),
                    "width": recipe.width,
                    "epochs": recipe.epochs,
                    "seeds": seeds_of(self.config, network),
                }
        return found

    def small_print(self, target: Target) -> str:
        """Say which preset, data, scale, seeds and draws a figure or table was computed from."""
        ran = self.ran(target)
        if not target.networks:
            return "drawn from the blocks of ResNet50 as they are built"
        if not ran:
            return f"{self.config['preset']} preset"
        recipes = [recipe_of(self.config, network) for network in ran]
        data = dict.fromkeys(f"{n.dataset} = {self.source(n.dataset)}" for n in ran)
        epochs = dict.fromkeys(str(recipe.epochs) for recipe in recipes)
        widths = dict.fromkeys(str(Fraction(r.width).limit_denominator(1000)) for r in recipes)
        width = "" if list(widths) == ["1"] else f", width {'/'.join(widths)}"
        seeds = dict.fromkeys(str(seeds_of(self.config, network)) for network in ran)
        origin = (
            f"{self.config['preset']} preset, {', '.join(data)}{width}, {'/'.join(epochs)} epochs; "
            f"seeds: {'/'.join(seeds)}"
        )
        if target.kind == "adversarial":
            return f"{origin}; {attacks_print(self.config['adversarial'])}"
        drawn = any(name != "training.csv" for _, name in target.needs) and target.kind != "bars"
        draws = f", draws of rerand: {self.config['probe']['draws']} each" if drawn else ""
        return f"{origin}{draws}; means are shown"


def attacks_print(attacks: dict) -> str:
    """Say how strong the attacks are; `attacks` is the config's `adversarial`."""
    per = "batch" if attacks["choice"] == "batch" else "example"
    seen = "at each step" if attacks["attack_choice"] == "fresh" else "for a whole attack"
    return (
        f"attacks on {attacks['test_examples']} test examples, eps {attacks['eps']}/255; PGD: "
        f"{attacks['steps']} steps of {attacks['step']}/255 from "
        f"{'a random start' if attacks['start'] == 'random' else 'the image'}; blocks are chosen "
        f"for each {per}, and {seen} as an attack sees them; EoT: gradients averaged over "
        f"{attacks['eot_draws']} choices, without which a random classifier looks more robust than "
        "it is (a baseline has nothing to average over: its PGD + EoT is PGD); mean and deviation "
        f"of {attacks['repetitions']} repetitions"
    )

"""What has to be built: the bridge between config, registries and the workflow's rules."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from layer_robustness.experiments import paths
from layer_robustness.experiments.names import Network
from layer_robustness.experiments.recipe import Recipe
from layer_robustness.experiments.sources import RANDOM
from layer_robustness.experiments.sweeps import job_of, networks_of
from layer_robustness.figures.figure import Figure
from layer_robustness.figures.registry import FIGURES
from layer_robustness.planning.beyond import Entry, entries, own_networks
from layer_robustness.planning.config import (
    FOLDERS,
    check_job,
    dataset_of,
    jobs,
    missing_data,
    probed,
    recipe_of,
    runs,
    settings_of,
    source_of,
)
from layer_robustness.runtime.errors import InputError
from layer_robustness.storage.bits import path_of
from layer_robustness.tables.registry import DRAWS, TABLES, Table

Target = Figure | Table
PROBES = (paths.PROBE, paths.JOINT)
TARGETS: dict[str, Target] = {**FIGURES, **TABLES}


@dataclass(frozen=True)
class Job:
    """A network with its seeds, or a sweep of networks: what is trained and measured together."""

    name: str
    config: dict

    @property
    def networks(self) -> tuple[Network, ...]:
        """Its networks, all of one data set and one kind."""
        return networks_of(self.name)

    @property
    def dataset(self) -> str:
        """Their data set."""
        return dataset_of(self.config, self.networks[0])

    @property
    def source(self) -> str:
        """The source of images that stands for it."""
        return source_of(self.config, self.networks[0])

    @property
    def in_folder(self) -> bool:
        """Whether the training images are files in a folder."""
        return self.source in FOLDERS

    @property
    def recipe(self) -> Recipe:
        """How they are trained."""
        return recipe_of(self.config, self.networks[0])

    @property
    def seeds(self) -> int:
        """How many of each network."""
        return settings_of(self.config, self.networks[0])["seeds"]

    @property
    def draws(self) -> int:
        """Fresh draws that are stored of each: what probes and the attacks of Table 2 need."""
        probed = [e for e in entries(self.config).values() if e.network in self.networks]
        of_entries = (entry.draws for entry in probed if set(entry.sources) & set(RANDOM))
        return max(self.config["probe"]["draws"], DRAWS if self.replaced else 0, *of_entries)

    @property
    def own_source(self) -> list[str]:
        """The file in the working directory that defines a network of one's own."""
        (network, *_) = self.networks
        return entries(self.config)[network.model].own_source if network.kind == "own" else []

    @property
    def groups(self) -> list[str]:
        """Groups of units that some figure resets jointly."""
        panels = (panel for figure in FIGURES.values() for panel in figure.panels)
        groups = (p.group for p in panels if p.group and set(p.networks) & set(self.networks))
        return list(dict.fromkeys(groups))

    @property
    def replaced(self) -> list[int]:
        """Numbers of stages of which the classifiers of Table 2 replace a residual block."""
        rows = TABLES["table2"].rows
        return [row.replaced for row in rows if f"{row.dataset}/{row.architecture}" == self.name]

    def lacks(self, step: str) -> str:
        """Say which result of a step it does not have, as nothing shows it."""
        if step == "joint" and not self.groups:
            return f"no {paths.JOINT}: no figure resets groups of its units"
        if step == "attack" and not self.replaced:
            return f"no {paths.ADVERSARIAL}: no table attacks it"
        return ""


@dataclass(frozen=True)
class Plan:
    """Everything that a checked config asks for."""

    config: dict

    @property
    def preset(self) -> str:
        """The preset's name."""
        return self.config["preset"]

    def job(self, name: str) -> Job:
        """Return a job by its name.

        Raises `InputError` if it is the name of no network and no sweep, or of a part of a sweep;
        or of an entry of `beyond` that trains nothing itself.
        """
        for network in networks_of(name):
            if network.kind == "own" and network not in own_networks(self.config):
                raise InputError(f"{name} is not trained: beyond has no such entry with a recipe")
        return Job(name, self.config)

    def check(self, step: str, name: str) -> None:
        """Refuse a step of a job that cannot be had; most can, of networks in no figure too."""
        job = self.job(name)
        if reason := missing_data(self.config, job.networks[0]):
            raise InputError(f"{name} is not trained here: there is {reason}")
        check_job(self.config, name)
        if reason := job.lacks(step):
            raise InputError(f"{name} has {reason}")

    @cached_property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of all figures and tables, in their order, and those that entries probe."""
        shown = (network for target in TARGETS.values() for network in target.networks)
        return tuple(map(self.job, jobs(self.config, shown)))

    @cached_property
    def entries(self) -> tuple[Entry, ...]:
        """The entries of `beyond` that are asked for, if the data of their networks can be had."""
        return tuple(probed(self.config))

    def entry(self, name: str) -> Entry:
        """Return an entry of `beyond` by its name, asked for or not.

        Raises `InputError` if there is none.
        """
        found = entries(self.config)
        if name not in found:
            raise InputError(f"beyond has no entry {name}: expected one of {', '.join(found)}")
        return found[name]

    def trainer(self, entry: Entry) -> Job | None:
        """Return the job that trains what an entry probes; none for given weights."""
        return self.job(job_of(entry.network)) if entry.network else None

    def trained_manifests(self, names: Iterable[str]) -> list[str]:
        """Return the manifests of the networks that some entries probe."""
        networks = (self.entry(name).network for name in names)
        jobs = dict.fromkeys(job_of(network) for network in networks if network)
        return [paths.result(self.preset, job, paths.MANIFEST) for job in jobs]

    def runs(self, network: Network) -> bool:
        """Whether a network is trained: the config asks for it, and its data can be had."""
        return runs(self.config, network)

    def files(self, *targets: Target) -> list[str]:
        """Return the result files that figures, tables or claims read."""
        return self.results(need for target in targets for need in target.needs)

    def missed(self, *targets: Target) -> list[str]:
        """Return the files beside them that say which images each reset gets wrong."""
        return [str(path_of(Path(f))) for f in self.files(*targets) if f.endswith(PROBES)]

    def manifests(self, *targets: Target) -> list[str]:
        """Return the manifests of their networks."""
        networks = (network for target in targets for network, _ in target.needs)
        return self.results((network, paths.MANIFEST) for network in networks)

    def results(self, needs: Iterable[tuple[Network, str]]) -> list[str]:
        """Return files of the networks that are trained, each once."""
        found = (
            paths.result(self.preset, job_of(network), file)
            for network, file in needs
            if self.runs(network)
        )
        return list(dict.fromkeys(found))

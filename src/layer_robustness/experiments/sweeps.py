"""What one job trains and measures: a network with its seeds, or a named sweep of small networks.

A process takes longer to start than a small network to train, and Figure 2 shows a sweep of widths
as a whole: such networks share their files, in which the column `network` tells them apart.
"""

from layer_robustness.experiments.names import Network, parse_network
from layer_robustness.runtime.errors import InputError

DEPTHS, WIDTHS = (3, 5), (16, 32, 64, 128, 256, 512)
# Other figures show these by themselves, so they are no part of the sweep.
ALONE = ("mnist/fcn3x256", "mnist/fcn5x256")


def widths(dataset: str) -> tuple[Network, ...]:
    """Return the FCNs of Figure 2 on a data set: two depths, six widths."""
    return tuple(Network(dataset, f"fcn{depth}x{width}") for depth in DEPTHS for width in WIDTHS)


SWEEPS = {
    f"{dataset}/fcn_widths": tuple(n for n in widths(dataset) if str(n) not in ALONE)
    for dataset in ("mnist", "cifar10")
}
SWEEP_OF = {network: name for name, networks in SWEEPS.items() for network in networks}


def job_of(network: Network) -> str:
    """Name the job that trains and measures a network: its sweep, or the network itself."""
    return SWEEP_OF.get(network, str(network))


def networks_of(job: str) -> tuple[Network, ...]:
    """Return the networks of a job.

    Raises `InputError` if the job is no sweep and no network, or a network that a sweep trains.
    """
    if job in SWEEPS:
        return SWEEPS[job]
    network = parse_network(job)
    if network in SWEEP_OF:
        raise InputError(f"{job} is part of the sweep {SWEEP_OF[network]}: name the sweep")
    return (network,)

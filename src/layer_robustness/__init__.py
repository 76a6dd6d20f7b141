"""Which layers of a trained network matter? Re-initialization and re-randomization of single units.

Reference implementation of "Are All Layers Created Equal?" (Zhang, Bengio, Singer; JMLR 2022).
"""

from typing import Any


def __getattr__(name: str) -> Any:
    """Import `probe_network` when it is asked for: light steps import no torch."""
    if name == "probe_network":
        from layer_robustness.networks.probe import probe_network

        return probe_network
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

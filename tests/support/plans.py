"""Plans of the presets."""

from collections.abc import Sequence

import yaml
from snakemake.utils import update_config

from layer_robustness.planning.plan import TARGETS, Plan
from support.checkout import ROOT

SHIPPED = ROOT / "config/presets"
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text())
NETWORKS = {network for target in TARGETS.values() for network in target.networks}
MISSING = object()
PRESETS = tuple(sorted(path.stem for path in SHIPPED.glob("*.yaml")))


def config_of(preset: str = "quick") -> dict:
    """Put a preset over the shared defaults, as the workflow does."""
    return over_defaults(yaml.safe_load((SHIPPED / f"{preset}.yaml").read_text()))


def over_defaults(own: dict) -> dict:
    """Put settings over the shared defaults."""
    config = yaml.safe_load((ROOT / "config/defaults.yaml").read_text())
    update_config(config, own)
    return config


def plan(preset: str = "quick", **changes) -> Plan:
    return Plan(config_of(preset) | changes)


def put(config: dict, path: Sequence[str], value: object) -> None:
    """Set a key of a config, some folders down; `MISSING` takes it out."""
    *folders, last = path
    for name in folders:
        config = config[name]
    config[last] = value
    if value is MISSING:
        del config[last]

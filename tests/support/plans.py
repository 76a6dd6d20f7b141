"""Plans of the presets."""

import yaml
from snakemake.utils import update_config

from layer_robustness.planning.plan import Plan
from support.checkout import ROOT


def config_of(preset: str = "quick") -> dict:
    """Put a preset over the shared defaults, as the workflow does."""
    config = yaml.safe_load((ROOT / "config/defaults.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / f"config/presets/{preset}.yaml").read_text()))
    return config


def plan(preset: str = "quick", **changes) -> Plan:
    return Plan(config_of(preset) | changes)

"""Plans of the presets."""

import yaml
from snakemake.utils import update_config

from layer_robustness.planning.plan import Plan
from support.checkout import ROOT


def plan(preset: str = "config", **changes) -> Plan:
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    update_config(config, yaml.safe_load((ROOT / f"config/{preset}.yaml").read_text()))
    return Plan(config | changes)

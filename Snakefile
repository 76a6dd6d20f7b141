# Every figure and table of "Are All Layers Created Equal?" as a target.
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.27")

HERE = Path(workflow.basedir)  # not the working directory, where results go
SOURCE = HERE / "src"
sys.path.insert(0, str(SOURCE))

from layer_robustness.planning.presets import preset_file
from layer_robustness.runtime.errors import InputError

try:
    PRESET_FILE = preset_file(config, HERE / "config/presets")
except InputError as error:
    sys.exit(f"error: {error}")


configfile: str(HERE / "config/defaults.yaml")


if PRESET_FILE:

    configfile: str(PRESET_FILE)


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/network.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/calibration.smk"


# Without an output, so that it notices a figure that was deleted.
rule:
    name:
        "paper_figures/all"
    default_target: True
    input:
        ALL,


check_targets()

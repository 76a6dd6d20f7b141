# Every figure and table of "Are All Layers Created Equal?" as a target.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/adversarial.smk"
include: "workflow/rules/figures.smk"


# Without an output, so that it notices a figure that was deleted.
rule:
    name:
        "paper_figures/all"
    default_target: True
    input:
        expand("paper_figures/{name}.{type}", name=FIGURES, type=["pdf", "png", "csv"]),
        expand("paper_figures/{name}.{type}", name=TABLES, type=["csv", "md", "tex"]),

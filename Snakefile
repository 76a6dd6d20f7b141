# Every figure and table of "Are All Layers Created Equal?" as a target.
from snakemake.utils import min_version

min_version("9.27")


configfile: "config/config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/probe.smk"
include: "workflow/rules/adversarial.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/explorer.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/cache.smk"


# Without an output, so that it notices a figure that was deleted.
rule:
    name:
        "paper_figures/all"
    default_target: True
    input:
        expand("paper_figures/{name}.{type}", name=FIGURES, type=["pdf", "png", "csv"]),
        expand("paper_figures/{name}.{type}", name=TABLES, type=["csv", "md", "tex"]),
        expand(
            "paper_figures/comparison_{name}.{type}", name=DRAWN, type=["pdf", "png"]
        ),
        "paper_figures/comparison.csv",
        "paper_figures/comparison_panels.csv",
        "paper_figures/claims.csv",
        "paper_figures/claims.md",
        "paper_figures/explorer.html",
        [f"paper_figures/{name}.html" for name in PAGES],

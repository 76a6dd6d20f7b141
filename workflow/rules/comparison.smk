# The paper's values beside ours, and its claims judged by ours: light steps too.
import os

from layer_robustness.paper.claims.criteria import CLAIMS
from layer_robustness.paper.comparison.targets import COMPARED, DRAWN
from layer_robustness.paper.values import FILES

VALUES = [
    os.path.relpath(Path(workflow.basedir) / "resources/paper" / file) for file in FILES
]


rule comparison:
    input:
        **compared(*COMPARED),
        paper=VALUES,
        code=source_files("commands.comparison"),
    output:
        values="paper_figures/comparison.csv",
        panels="paper_figures/comparison_panels.csv",
    log:
        f"{LOGS}/comparison/comparison.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=config["preset"],
        paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
        setups=json.dumps(setups_of(*COMPARED)),
    shell:
        "python -m layer_robustness.commands.comparison --results results/{params.preset} --data results/data"
        " --paper {params.paper:q} --output paper_figures --setups {params.setups:q} > {log} 2>&1"


for figure in (FIGURES[name] for name in DRAWN):

    rule:
        name:
            f"comparison_{figure.name}"
        input:
            **compared(figure),
            paper=VALUES,
            code=source_files("commands.comparison_figure"),
        output:
            pdf=f"paper_figures/comparison_{figure.name}.pdf",
            png=report(
                f"paper_figures/comparison_{figure.name}.png",
                caption="../report/comparison_figure.rst",
                category=figure.section,
                labels=labels(figure, config["preset"], "with the paper's"),
            ),
        log:
            f"{LOGS}/comparison/{figure.name}.log",
        localrule: True
        conda:
            "../../envs/light.yaml"
        params:
            preset=config["preset"],
            name=figure.name,
            paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
            setups=json.dumps(setups_of(figure)),
            small_print=PLAN.small_print(figure),
        shell:
            "python -m layer_robustness.commands.comparison_figure {params.name} --results results/{params.preset}"
            " --data results/data --paper {params.paper:q} --output paper_figures --setups {params.setups:q}"
            " --small-print {params.small_print:q} > {log} 2>&1"


rule claims:
    input:
        **compared(*CLAIMS),
        code=source_files("commands.claims"),
    output:
        md="paper_figures/claims.md",
        csv="paper_figures/claims.csv",
    log:
        f"{LOGS}/comparison/claims.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=config["preset"],
        setups=json.dumps(setups_of(*CLAIMS)),
    shell:
        "python -m layer_robustness.commands.claims --results results/{params.preset} --data results/data"
        " --output paper_figures --setups {params.setups:q} > {log} 2>&1"

# Figures and tables: light steps that read numbers and never import torch.

STRUCTURE = "results/structure/resnet50.json"


# The residual blocks as they are built, for Figure 7.
rule structure:
    input:
        code=source_files("commands.structure"),
    output:
        STRUCTURE,
    log:
        "results/structure/logs/resnet50.log",
    localrule: True
    conda:
        "../../envs/heavy.yaml"
    shell:
        "python -m layer_robustness.commands.structure {output} > {log} 2>&1"


for figure in FIGURES.values():

    rule:
        name:
            figure.name
        input:
            results=PLAN.target_files(figure),
            structure=[STRUCTURE] if figure.structure else [],
            code=source_files("commands.figure", f"figures.{figure.kind}"),
        output:
            pdf=f"paper_figures/{figure.name}.pdf",
            png=report(
                f"paper_figures/{figure.name}.png",
                caption=f"../report/{figure.name}.rst",
                category=figure.section,
                labels=labels(figure, config["preset"]),
            ),
            csv=f"paper_figures/{figure.name}.csv",
        log:
            f"{LOGS}/figures/{figure.name}.log",
        localrule: True
        conda:
            "../../envs/light.yaml"
        params:
            **target_params(figure),
            structure=f"--structure {STRUCTURE}" if figure.structure else "",
        shell:
            "python -m layer_robustness.commands.figure {params.name} --results results/{params.preset}"
            " --output paper_figures --seeds {params.seeds:q} {params.structure}"
            " --small-print {params.small_print:q} > {log} 2>&1"


for table in TABLES.values():

    rule:
        name:
            table.name
        input:
            results=PLAN.target_files(table),
            code=source_files("commands.table"),
        output:
            csv=f"paper_figures/{table.name}.csv",
            md=f"paper_figures/{table.name}.md",
            tex=f"paper_figures/{table.name}.tex",
        log:
            f"{LOGS}/tables/{table.name}.log",
        localrule: True
        conda:
            "../../envs/light.yaml"
        params:
            **target_params(table),
        shell:
            "python -m layer_robustness.commands.table {params.name} --results results/{params.preset}"
            " --output paper_figures --seeds {params.seeds:q}"
            " --small-print {params.small_print:q} > {log} 2>&1"

# Figures: light steps that read numbers and never import torch.
for figure in FIGURES.values():

    rule:
        name:
            figure.name
        input:
            results=PLAN.figure_files(figure),
            code=source_files("commands.figure", f"figures.{figure.kind}"),
        output:
            pdf=report(
                f"paper_figures/{figure.name}.pdf",
                caption=f"../report/{figure.name}.rst",
                category=figure.section,
                labels={"figure": figure.title, "preset": config["preset"]},
            ),
            png=f"paper_figures/{figure.name}.png",
            csv=f"paper_figures/{figure.name}.csv",
        log:
            f"{LOGS}/figures/{figure.name}.log",
        conda:
            "../../envs/light.yaml"
        params:
            preset=config["preset"],
            name=figure.name,
            seeds=json.dumps(PLAN.figure_seeds(figure)),
            small_print=PLAN.small_print(figure),
        shell:
            "python -m layer_robustness.commands.figure {params.name} --results results/{params.preset}"
            " --output paper_figures --seeds {params.seeds:q}"
            " --small-print {params.small_print:q} > {log} 2>&1"

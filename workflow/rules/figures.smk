# Figures and tables: light steps that read numbers, and never import torch but for `structure`.
from layer_robustness.figures.names import labelled
from layer_robustness.figures.registry import FIGURES
from layer_robustness.report.labels import labels
from layer_robustness.tables.registry import TABLES

SOURCES = config["datasets"]


# The residual blocks as they are built, for Figure 7.
rule structure:
    input:
        code=source_files("commands.structure"),
    output:
        paths.STRUCTURE,
    log:
        "results/structure/logs/resnet50.log",
    localrule: True
    conda:
        "../../envs/steps.yaml"
    shell:
        "python -m layer_robustness.commands.structure {output} > {log} 2>&1"


rule figure:
    input:
        results=lambda wildcards: PLAN.files(FIGURES[wildcards.figure]),
        manifests=lambda wildcards: PLAN.manifests(FIGURES[wildcards.figure]),
        structure=lambda wildcards: (
            [paths.STRUCTURE] if FIGURES[wildcards.figure].structure else []
        ),
        code=lambda wildcards: source_files(
            "commands.figure", f"figures.{FIGURES[wildcards.figure].kind}"
        ),
    output:
        pdf=f"{SHOWN}/{{figure}}.pdf",
        png=report(
            f"{SHOWN}/{{figure}}.png",
            caption="../report/target.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].section,
            labels=lambda wildcards: labels(
                FIGURES[wildcards.figure], PRESET, SOURCES
            ),
        ),
        csv=f"{SHOWN}/{{figure}}.csv",
        caption=f"{SHOWN}/{{figure}}.md",
    log:
        f"{LOGS}/figures/{{figure}}.log",
    localrule: True
    conda:
        "../../envs/steps.yaml"
    params:
        caption=lambda wildcards: labelled(FIGURES[wildcards.figure].caption, SOURCES),  # for the report
        scale=config["error_scale"],
        structure=lambda wildcards, input: (
            f"--structure {input.structure}" if input.structure else ""
        ),
    shell:
        shown_by(
            "figure {wildcards.figure} {params.structure}",
            "--error-scale {params.scale} --output {output.pdf}",
        )


rule table:
    input:
        results=lambda wildcards: PLAN.files(TABLES[wildcards.table]),
        manifests=lambda wildcards: PLAN.manifests(TABLES[wildcards.table]),
        code=source_files("commands.table"),
    output:
        csv=f"{SHOWN}/{{table}}.csv",
        md=f"{SHOWN}/{{table}}.md",
        tex=f"{SHOWN}/{{table}}.tex",
        html=report(
            f"{SHOWN}/{{table}}.html",
            caption="../report/target.rst",
            category=lambda wildcards: TABLES[wildcards.table].section,
            labels=lambda wildcards: labels(TABLES[wildcards.table], PRESET, SOURCES),
        ),
    log:
        f"{LOGS}/tables/{{table}}.log",
    localrule: True
    conda:
        "../../envs/steps.yaml"
    params:
        caption=lambda wildcards: labelled(TABLES[wildcards.table].caption, SOURCES),  # for the report
    shell:
        shown_by("table {wildcards.table}", "--output {output.csv}")

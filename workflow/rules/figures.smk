# Figures and tables: light steps that read numbers, and never import torch but for Figure 7.
from layer_robustness.figures.names import labelled
from layer_robustness.figures.registry import FIGURES
from layer_robustness.report.labels import labels
from layer_robustness.tables.registry import TABLES

SOURCES = config["datasets"]


wildcard_constraints:
    figure=one_of(FIGURES),
    table=one_of(TABLES),


rule figure:
    input:
        results=lambda wildcards: PLAN.files(FIGURES[wildcards.figure]),
        manifests=lambda wildcards: PLAN.manifests(FIGURES[wildcards.figure]),
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
    shell:
        shown_by(
            "figure {wildcards.figure}",
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

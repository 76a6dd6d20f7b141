# Compare the paper's values with ours, judge its claims, and make a page to look up every cell.
import os

from layer_robustness.explorer.panels import HEATMAPS
from layer_robustness.paper.claims.claims import CLAIMS
from layer_robustness.paper.claims.claims import TABLE as CLAIMS_TABLE
from layer_robustness.paper.comparison.targets import COMPARED, DRAWN
from layer_robustness.paper.values import FILES

PAPER = os.path.relpath(Path(workflow.basedir) / "resources/paper")
VALUES = [f"{PAPER}/{file}" for file in FILES]
COMPARISON = "Comparison with the paper"


rule comparison:
    input:
        results=PLAN.files(*COMPARED),
        manifests=PLAN.manifests(*COMPARED),
        paper=VALUES,
        code=source_files("commands.comparison"),
    output:
        values=f"{SHOWN}/comparison.csv",
        panels=f"{SHOWN}/comparison_panels.csv",
        page=report(
            f"{SHOWN}/comparison_panels.html",
            caption="../report/comparison_panels.rst",
            category=COMPARISON,
            labels={"figure": "Agreement by panel", "preset": PRESET},
        ),
    log:
        f"{LOGS}/comparison/comparison.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=PRESET,
        paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
    shell:
        "python -m layer_robustness.commands.comparison --results {input.results}"
        " --manifests {input.manifests} --paper {params.paper} --preset {params.preset}"
        " --output {output.values} > {log} 2>&1"


rule comparison_figure:
    input:
        results=lambda wildcards: PLAN.files(FIGURES[wildcards.figure]),
        manifests=lambda wildcards: PLAN.manifests(FIGURES[wildcards.figure]),
        paper=VALUES,
        code=source_files("commands.comparison_figure"),
    output:
        pdf=f"{SHOWN}/comparison_{{figure}}.pdf",
        png=report(
            f"{SHOWN}/comparison_{{figure}}.png",
            caption="../report/comparison_figure.rst",
            category=lambda wildcards: FIGURES[wildcards.figure].section,
            labels=lambda wildcards: labels(
                FIGURES[wildcards.figure], PRESET, SOURCES, "with the paper's"
            ),
        ),
    log:
        f"{LOGS}/comparison/{{figure}}.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=PRESET,
        paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
        scale=config["error_scale"],
    shell:
        "python -m layer_robustness.commands.comparison_figure {wildcards.figure}"
        " --results {input.results} --manifests {input.manifests} --paper {params.paper}"
        " --preset {params.preset} --error-scale {params.scale} --output {output.pdf} > {log} 2>&1"


rule claims:
    input:
        results=PLAN.files(*CLAIMS),
        missed=PLAN.missed(*CLAIMS),
        manifests=PLAN.manifests(*CLAIMS),
        table=os.path.relpath(CLAIMS_TABLE),
        code=source_files("commands.claims"),
    output:
        csv=f"{SHOWN}/claims.csv",
        md=f"{SHOWN}/claims.md",
        page=report(
            f"{SHOWN}/claims.html",
            caption="../report/claims.rst",
            category=COMPARISON,
            labels={"figure": "The paper's claims", "preset": PRESET},
        ),
    log:
        f"{LOGS}/comparison/claims.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=PRESET,
    shell:
        "python -m layer_robustness.commands.claims --results {input.results}"
        " --manifests {input.manifests} --preset {params.preset} --output {output.csv} > {log} 2>&1"


# Empty if no network of the heatmaps is trained.
HISTORIES = [
    manifest.replace(paths.MANIFEST, paths.TRAINING)
    for manifest in PLAN.manifests(*HEATMAPS.values())
]


rule explorer:
    input:
        figures=[f"{SHOWN}/{name}.csv" for name in HEATMAPS],
        comparison=rules.comparison.output.values,
        paper=VALUES,
        results=HISTORIES,
        manifests=PLAN.manifests(*HEATMAPS.values()),
        page=[
            os.path.relpath(SOURCE / "layer_robustness/explorer" / name)
            for name in ("page.html", "page.js")
        ],
        code=source_files("commands.explorer"),
    output:
        f"{SHOWN}/explorer.html",
    log:
        f"{LOGS}/comparison/explorer.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=PRESET,
        paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
    shell:
        "python -m layer_robustness.commands.explorer --figures {input.figures}"
        " --comparison {input.comparison} --results {input.results} --manifests {input.manifests}"
        " --paper {params.paper} --preset {params.preset} --output {output} > {log} 2>&1"


ALL = [
    *expand(
        "{shown}/{name}.{type}",
        shown=SHOWN,
        name=FIGURES,
        type=["pdf", "png", "csv", "md"],
    ),
    *expand(
        "{shown}/{name}.{type}",
        shown=SHOWN,
        name=TABLES,
        type=["csv", "md", "tex", "html"],
    ),
    *expand(
        "{shown}/comparison_{name}.{type}", shown=SHOWN, name=DRAWN, type=["pdf", "png"]
    ),
    *expand(
        "{shown}/{name}.{type}",
        shown=SHOWN,
        name=["claims"],
        type=["csv", "md", "html"],
    ),
    *rules.comparison.output,
    *rules.explorer.output,
]

# Compare the paper's values with ours, judge its claims, and make a page to look up every cell.
import os

from layer_robustness.paper.claims.claims import CLAIMS
from layer_robustness.paper.claims.claims import TABLE as CLAIMS_TABLE
from layer_robustness.paper.comparison.values import COMPARED, HEATMAPS
from layer_robustness.paper.values import FILES

PAPER = os.path.relpath(HERE / "resources/paper")
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
        "../../envs/steps.yaml"
    shell:
        shown_by(
            "comparison", f"--paper {shlex.quote(PAPER)} --output {{output.values}}"
        )


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
        "../../envs/steps.yaml"
    params:
        scale=config["error_scale"],
    shell:
        shown_by(
            "comparison_figure {wildcards.figure}",
            f"--paper {shlex.quote(PAPER)} --error-scale {{params.scale}} --output {{output.pdf}}",
        )


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
        "../../envs/steps.yaml"
    shell:
        shown_by("claims", "--output {output.csv}")


rule explorer:
    input:
        results=[
            *PLAN.files(*HEATMAPS.values()),
            *(
                manifest.replace(paths.MANIFEST, paths.TRAINING)
                for manifest in PLAN.manifests(*HEATMAPS.values())
            ),
        ],
        manifests=PLAN.manifests(*HEATMAPS.values()),
        paper=VALUES,
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
        "../../envs/steps.yaml"
    shell:
        shown_by("explorer", f"--paper {shlex.quote(PAPER)} --output {{output}}")


ENDINGS = {
    **dict.fromkeys([*FIGURES, *BEYOND_FIGURES], ["pdf", "png", "csv", "md"]),
    **dict.fromkeys(TABLES, ["csv", "md", "tex", "html"]),
    **{f"comparison_{name}": ["pdf", "png"] for name in HEATMAPS},
}
ALL = [
    *(f"{SHOWN}/{name}.{ending}" for name in ENDINGS for ending in ENDINGS[name]),
    *rules.comparison.output,
    *rules.claims.output,
    *rules.explorer.output,
]

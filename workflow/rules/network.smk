# Networks beyond the paper's, and more of the paper's: the entries of the config's `beyond`.
import os

from layer_robustness.figures.beyond import registry

ENTRY = f"{paths.results(PRESET)}/{BEYOND}/{{entry}}"
BEYOND_FIGURES = registry.figures([entry.name for entry in PLAN.entries])


wildcard_constraints:
    entry=one_of(config["beyond"]),
    beyond=one_of(BEYOND_FIGURES),


rule network:
    input:
        manifest=partial(trained, paths.MANIFEST),
        checkpoints=lambda wildcards: ancient(trained("checkpoints", wildcards)),
        data=data_of_entry,
        files=lambda wildcards: entry_of(wildcards).files,
        code=source_files("commands.any_network"),
    output:
        csv=f"{ENTRY}/{paths.PROBE}",
        critical=f"{ENTRY}/critical.txt",
        heatmap=multiext(f"{ENTRY}/heatmap", ".pdf", ".png"),
    log:
        f"{LOGS}/network/{BEYOND}/{{entry}}.log",
    benchmark:
        f"{LOGS}/network/{BEYOND}/{{entry}}.benchmark.tsv"
    conda:
        "../../envs/steps.yaml"
    threads: lambda wildcards: 1 if entry_of(wildcards).network else demand.CORES
    resources:
        **needs("network", source_of_entry),
        images=where,
        decoders=lambda wildcards, threads: (
            0 if entry_of(wildcards).network else threads
        ),
    params:
        network=lambda wildcards: entry_of(wildcards).flags,
        manifest=lambda wildcards, input: (
            f"--manifest {input.manifest}" if input.manifest else ""
        ),
        folder=lambda wildcards, output: os.path.dirname(output.csv),
        images=images_of_entry,
    shell:
        "python -m layer_robustness.commands.any_network probe {params.manifest} {params.network}"
        " {resources.images} --output {params.folder} --memory {resources.memory_gb}"
        " --device {resources.device} --workers {resources.decoders} > {log} 2>&1"


rule network_figure:
    input:
        results=lambda wildcards: [
            f"{ENTRY}/{paths.PROBE}".format(entry=entry)
            for entry in BEYOND_FIGURES[wildcards.beyond].entries
        ],
        manifests=lambda wildcards: or_exit(
            PLAN.trained_manifests, BEYOND_FIGURES[wildcards.beyond].entries
        ),
        code=lambda wildcards: source_files(
            "commands.network_figure",
            f"figures.beyond.{BEYOND_FIGURES[wildcards.beyond].kind}",
        ),
    output:
        pdf=f"{SHOWN}/{{beyond}}.pdf",
        png=report(
            f"{SHOWN}/{{beyond}}.png",
            caption="../report/target.rst",
            category=registry.SECTION,
            labels=lambda wildcards: {
                "figure": BEYOND_FIGURES[wildcards.beyond].heading,
                "preset": PRESET,
            },
        ),
        csv=f"{SHOWN}/{{beyond}}.csv",
        caption=f"{SHOWN}/{{beyond}}.md",
    log:
        f"{LOGS}/figures/{{beyond}}.log",
    localrule: True
    conda:
        "../../envs/steps.yaml"
    params:
        caption=lambda wildcards: BEYOND_FIGURES[wildcards.beyond].caption,  # for the report
    shell:
        shown_by("network_figure {wildcards.beyond}", "--output {output.pdf}")

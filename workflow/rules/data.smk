# Data sets, each as one checked file. The .json beside it holds the content's checksum: what depends
# on the data depends on it, so that preparing the same content again reruns nothing.
rule data:
    input:
        code=source_files("commands.data"),
    output:
        data="results/data/{source}.safetensors",
        summary="results/data/{source}.json",
    log:
        "results/data/logs/{source}.log",
    conda:
        "../../envs/heavy.yaml"
    threads: lambda wildcards: 16 if wildcards.source == "imagenet" else 1
    resources:
        images=lambda wildcards: IMAGES if wildcards.source == "imagenet" else "",
    shell:
        "python -m layer_robustness.commands.data {wildcards.source} {output.data} {resources.images}"
        " > {log} 2>&1"

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
    benchmark:
        "results/data/logs/{source}.benchmark.tsv"
    cache: "data" in CACHED
    localrule: True  # what is submitted may run where no network is
    conda:
        "../../envs/heavy.yaml"
    resources:
        images="",
    params:
        source="{source}",  # the cache's key has parameters and no wildcards
    shell:
        "python -m layer_robustness.commands.data {params.source} {output.data} {resources.images}"
        " --workers {threads} > {log} 2>&1"


# Nothing is downloaded, and decoding takes long.
ruleorder: imagenet > data


use rule data as imagenet with:
    wildcard_constraints:
        source="imagenet",
    cache: False  # whose key would be that of any folder
    localrule: False
    threads: CORES
    resources:
        **preparing_imagenet(CORES),
        images=IMAGES,
    params:
        images=which_images,

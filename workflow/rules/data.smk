# Data sets, each as one checked file. The .json beside it holds the content's checksum: what depends
# on the data depends on it, so that preparing the same content again reruns nothing.
rule data:
    input:
        code=source_files("commands.data"),
    output:
        data=paths.data("{source}"),
        summary=paths.summary("{source}"),
    log:
        f"{paths.DATA}/logs/{{source}}.log",
    cache: True
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
    threads: demand.CORES
    resources:
        mem_mb=demand.memory_mb("imagenet", demand.CORES, 0),
        runtime=demand.PREPARE_IMAGENET,
        images=IMAGES,
    params:
        source="{source}",
        images=which_images,

# Data sets, each as one checked file. The small .json beside it holds the content's checksum. Rules
# depend on the .json, so that preparing the same content again reruns nothing.
rule data:
    input:
        code=source_files("commands.data"),
    output:
        data=paths.data("{source}"),
        summary=paths.summary("{source}"),
    log:
        f"{paths.DATA}/logs/{{source}}.log",
    cache: True
    localrule: True  # compute nodes may have no network
    conda:
        "../../envs/steps.yaml"
    resources:
        images="",
    params:
        source="{source}",  # the cache's key includes params, but no wildcards
    shell:
        "python -m layer_robustness.commands.data {params.source} {output.data} {resources.images}"
        " --workers {threads} > {log} 2>&1"


# ImageNet is not downloaded, and decoding takes long: a job of its own on a cluster.
ruleorder: imagenet > data


use rule data as imagenet with:
    wildcard_constraints:
        source="imagenet",
    cache: False  # its key would be the same for every folder
    localrule: False
    threads: demand.CORES
    resources:
        mem_mb=demand.memory_mb("imagenet", demand.CORES, 0),
        runtime=demand.PREPARE_IMAGENET,
        images=IMAGES,
    params:
        source="{source}",
        images=which_images,

# From trained networks to rows of numbers. The manifest has the checksums of all checkpoints.
from layer_robustness.attacks.settings import Settings
from layer_robustness.storage.bits import path_of
from layer_robustness.tables.registry import DRAWS


rule probe:
    input:
        manifest=rules.train.output.manifest,
        checkpoints=ancient(rules.train.output.checkpoints),
        data=lambda wildcards: ancient(paths.data(job_of(wildcards).source)),
        code=source_files("commands.probe"),
    output:
        csv=f"{JOB}/{paths.PROBE}",
        missed=path_of(Path(f"{JOB}/{paths.PROBE}")),
    log:
        f"{LOGS}/probe/{{job}}.log",
    benchmark:
        f"{LOGS}/probe/{{job}}.benchmark.tsv"
    conda:
        "../../envs/steps.yaml"
    threads: partial(cores, "probe")
    resources:
        **needs("probe"),
    params:
        groups="",
    shell:
        "python -m layer_robustness.commands.probe {input.manifest} {params.groups} --data {input.data}"
        " --output {output.csv} --memory {resources.memory_gb} --device {resources.device}"
        " --workers {threads} > {log} 2>&1"


use rule probe as joint with:
    output:
        csv=f"{JOB}/{paths.JOINT}",
        missed=path_of(Path(f"{JOB}/{paths.JOINT}")),
    log:
        f"{LOGS}/joint/{{job}}.log",
    benchmark:
        f"{LOGS}/joint/{{job}}.benchmark.tsv"
    resources:
        **needs("joint"),
    params:
        groups=lambda wildcards: f"--groups {' '.join(job_of(wildcards).groups)}",


rule distances:
    input:
        manifest=rules.train.output.manifest,
        checkpoints=ancient(rules.train.output.checkpoints),
        code=source_files("commands.distances"),
    output:
        f"{JOB}/{paths.DISTANCES}",
    log:
        f"{LOGS}/distances/{{job}}.log",
    benchmark:
        f"{LOGS}/distances/{{job}}.benchmark.tsv"
    conda:
        "../../envs/steps.yaml"
    threads: partial(cores, "distances")
    resources:
        **needs("distances"),
    shell:
        "python -m layer_robustness.commands.distances {input.manifest} --output {output}"
        " --workers {threads} > {log} 2>&1"


# Table 2: attacks on stochastic classifiers, of which each trained network has several.
rule attack:
    input:
        manifest=rules.train.output.manifest,
        checkpoints=ancient(rules.train.output.checkpoints),
        data=lambda wildcards: ancient(paths.data(job_of(wildcards).source)),
        code=source_files("commands.attack"),
    output:
        f"{JOB}/{paths.ADVERSARIAL}",
    log:
        f"{LOGS}/attack/{{job}}.log",
    benchmark:
        f"{LOGS}/attack/{{job}}.benchmark.tsv"
    conda:
        "../../envs/steps.yaml"
    threads: partial(cores, "attack")
    resources:
        **needs("attack"),
    params:
        draws=DRAWS,
        replaced=lambda wildcards: job_of(wildcards).replaced,
        settings=as_flags(Settings(**config["adversarial"])),
    shell:
        "python -m layer_robustness.commands.attack {input.manifest} --data {input.data} --output {output}"
        " --draws {params.draws} --replaced {params.replaced} {params.settings}"
        " --device {resources.device} --workers {threads} > {log} 2>&1"

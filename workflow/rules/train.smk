# Train a network with its seeds, or a sweep. Networks already trained by the same recipe, data and
# code are taken over from resume/, and stopped trainings continue.
rule train:
    input:
        data=lambda wildcards: ancient(paths.data(job_of(wildcards).source)),
        summary=lambda wildcards: paths.summary(job_of(wildcards).source),
        code=source_files("commands.train"),
        own=lambda wildcards: job_of(wildcards).own_source,
    output:
        manifest=f"{JOB}/{paths.MANIFEST}",
        training=f"{JOB}/{paths.TRAINING}",
        checkpoints=directory(f"{JOB}/checkpoints"),
    log:
        f"{LOGS}/train/{{job}}.log",
    wildcard_constraints:
        job=rf"{PAPERS}|{BEYOND}/[^/]+",
    cache: True
    conda:
        "../../envs/steps.yaml"
    threads: partial(cores, "train")
    resources:
        **needs("train"),
        processes=processes,
        images=images,
    params:
        job="{job}",
        recipe=lambda wildcards: as_flags(job_of(wildcards).recipe),
        seeds=lambda wildcards: job_of(wildcards).seeds,
        draws=lambda wildcards: job_of(wildcards).draws,
    shell:
        "python -m layer_robustness.commands.train {params.job} --data {input.data} {resources.images}"
        " {params.recipe} --seeds {params.seeds} --draws {params.draws} --manifest {output.manifest}"
        " --device {resources.device} --workers {threads} --processes {resources.processes}"
        " > {log} 2>&1"

# Which learning rate the paper may have used: short trainings at several rates, compared with its
# errors after 1 and 10 epochs. Not a part of paper_figures/all.

TRIAL = f"{paths.results(PRESET)}/calibration/{{job}}/rate{{rate}}"


use rule train as trial with:
    output:
        manifest=f"{TRIAL}/{paths.MANIFEST}",
        training=f"{TRIAL}/{paths.TRAINING}",
        checkpoints=temp(directory(f"{TRIAL}/checkpoints")),
    log:
        f"{LOGS}/calibration/{{job}}/rate{{rate}}.log",
    cache: False
    params:
        job="{job}",
        recipe=lambda wildcards: as_flags(
            calibration.trial(job_of(wildcards).recipe, float(wildcards.rate))
        ),
        seeds=1,
        draws=0,


rule calibration:
    input:
        trials=lambda wildcards: of_trials(f"{TRIAL}/{paths.TRAINING}"),
        manifests=lambda wildcards: of_trials(f"{TRIAL}/{paths.MANIFEST}"),
        paper=VALUES,
        code=source_files("commands.calibration"),
    output:
        csv=f"{SHOWN}/calibration.csv",
        md=f"{SHOWN}/calibration.md",
    log:
        f"{LOGS}/calibration.log",
    localrule: True
    conda:
        "../../envs/steps.yaml"
    shell:
        f"python -m layer_robustness.commands.calibration {{input.trials}} --paper {shlex.quote(PAPER)}"
        " --output {output.csv} > {log} 2>&1"

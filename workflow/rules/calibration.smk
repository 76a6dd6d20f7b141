# Which learning rate the paper may have used: short trainings at several rates, compared with its
# errors after 1 and 10 epochs. Not a part of paper_figures/all.
from layer_robustness.paper import calibration
from layer_robustness.paper.values import load

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


def of_trials(file, wildcards):
    """A file of each trial: of each network whose errors the paper shows, at each rate."""
    shown = calibration.published(or_exit(load, Path(PAPER)))
    return [
        f"{TRIAL}/{file}".format(job=network, rate=rate)
        for network in or_exit(calibration.trained, shown, PLAN.runs)
        for rate in config["calibration"]["rates"]
    ]


rule calibration:
    input:
        trials=partial(of_trials, paths.TRAINING),
        manifests=partial(of_trials, paths.MANIFEST),
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

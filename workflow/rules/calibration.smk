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


def trials(_):
    """The history of each network that is trained, at each rate."""
    published = calibration.published(or_exit(load, Path(PAPER)))
    networks = or_exit(calibration.trained, published, PLAN.runs)
    rates = config["calibration"]["rates"]
    files = f"{TRIAL}/{paths.TRAINING}"
    return [files.format(job=name, rate=rate) for name in networks for rate in rates]


rule calibration:
    input:
        trials=trials,
        paper=VALUES,
        code=source_files("commands.calibration"),
    output:
        csv=f"{SHOWN}/calibration.csv",
        md=f"{SHOWN}/calibration.md",
    log:
        f"{LOGS}/calibration.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    shell:
        f"python -m layer_robustness.commands.calibration {{input.trials}} --paper {PAPER}"
        " --output {output.csv} > {log} 2>&1"

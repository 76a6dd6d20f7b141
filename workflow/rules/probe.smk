# From trained networks to rows of numbers. Checkpoints are known by the checksums in their manifest.


def trained(family):
    """Inputs of every step that reads trained networks."""
    return {
        "summary": f"results/data/{PLAN.source(family.dataset)}.json",
        "checkpoints": ancient(PLAN.checkpoints(family.experiments)),
        "manifests": PLAN.files(family.experiments, "checkpoints.json"),
    }


def tested(family):
    """Inputs of every step that tests trained networks."""
    data = ancient(f"results/data/{PLAN.source(family.dataset)}.safetensors")
    return {"data": data, **trained(family)}


for family in PLAN.families:

    rule:
        name:
            f"probe_{family.rule}"
        input:
            **tested(family),
            code=source_files("commands.probe"),
        output:
            PLAN.files(family.experiments, "probe.csv"),
        log:
            f"{LOGS}/probe/{family.name}.log",
        benchmark:
            f"{LOGS}/probe/{family.name}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "probe", family)
        resources:
            **demand("probe", family),
        params:
            preset=config["preset"],
            experiments=family.names,
            limits=config["probe"],
        shell:
            "python -m layer_robustness.commands.probe {params.experiments} --data {input.data}"
            " --results results/{params.preset} --draws {params.limits[draws]} --micro-batch {params.limits[micro_batch]}"
            " --memory {params.limits[memory_gb]} --device {resources.device} --workers {threads} > {log} 2>&1"

    rule:
        name:
            f"distances_{family.rule}"
        input:
            **trained(family),
            code=source_files("commands.distances"),
        output:
            PLAN.files(family.experiments, "distances.csv"),
        log:
            f"{LOGS}/distances/{family.name}.log",
        benchmark:
            f"{LOGS}/distances/{family.name}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "distances", family)
        resources:
            **demand("distances", family),
        params:
            preset=config["preset"],
            experiments=family.names,
            draws=config["probe"]["draws"],
        shell:
            "python -m layer_robustness.commands.distances {params.experiments} --summary {input.summary}"
            " --results results/{params.preset} --draws {params.draws} --workers {threads} > {log} 2>&1"


for family in PLAN.joint_families:

    rule:
        name:
            f"joint_{family.rule}"
        input:
            **tested(family),
            code=source_files("commands.joint"),
        output:
            PLAN.files(family.experiments, "joint.csv"),
        log:
            f"{LOGS}/joint/{family.name}.log",
        benchmark:
            f"{LOGS}/joint/{family.name}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "joint", family)
        resources:
            **demand("joint", family),
        params:
            preset=config["preset"],
            experiments=family.names,
            groups=PLAN.joint_groups(family.experiments[0].network),
            limits=config["probe"],
        shell:
            "python -m layer_robustness.commands.joint {params.experiments} --groups {params.groups}"
            " --data {input.data} --results results/{params.preset} --draws {params.limits[draws]}"
            " --micro-batch {params.limits[micro_batch]} --memory {params.limits[memory_gb]}"
            " --device {resources.device} --workers {threads} > {log} 2>&1"


# A single experiment by its name, all that is measured of it: snakemake cifar10/resnet50+wd/seed0
for experiment in PLAN.experiments:
    jointly = PLAN.joint_groups(experiment.network) and ["joint.csv"]
    attacked = PLAN.replaced(experiment.network) and ["adversarial.csv"]

    rule:
        name:
            str(experiment)
        input:
            PLAN.files([experiment], "training.csv"),
            PLAN.files([experiment], "probe.csv"),
            PLAN.files([experiment], "distances.csv"),
            [
                path
                for name in [*jointly, *attacked]
                for path in PLAN.files([experiment], name)
            ],

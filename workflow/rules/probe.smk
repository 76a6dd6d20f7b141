# From trained networks to rows of numbers. Checkpoints are known by the checksums in their manifest.


def trained(networks):
    """Inputs of every step that reads trained networks of one data set."""
    source = f"results/data/{PLAN.source(networks[0].dataset)}"
    return {
        "data": ancient(f"{source}.safetensors"),
        "summary": f"{source}.json",
        "checkpoints": ancient(PLAN.files(networks, "checkpoints")),
        "manifests": PLAN.files(networks, "checkpoints.json"),
    }


for family in PLAN.families:

    rule:
        name:
            f"probe_{family.rule}"
        input:
            **trained(family.networks),
            code=source_files("commands.probe"),
        output:
            PLAN.files(family.networks, "probe.csv"),
        log:
            f"{LOGS}/probe/{family.rule}.log",
        benchmark:
            f"{LOGS}/probe/{family.rule}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: workers(family)
        resources:
            gpu=GPU,
            device=DEVICE,
        params:
            preset=config["preset"],
            experiments=[str(e) for e in PLAN.experiments(family.networks)],
            limits=config["probe"],
        shell:
            "python -m layer_robustness.commands.probe {params.experiments} --data {input.data}"
            " --results results/{params.preset} --draws {params.limits[draws]} --micro-batch {params.limits[micro_batch]}"
            " --memory {params.limits[memory_gb]} --device {resources.device} --workers {threads} > {log} 2>&1"

    rule:
        name:
            f"distances_{family.rule}"
        input:
            **trained(family.networks),
            code=source_files("commands.distances"),
        output:
            PLAN.files(family.networks, "distances.csv"),
        log:
            f"{LOGS}/distances/{family.rule}.log",
        conda:
            "../../envs/heavy.yaml"
        threads: len(PLAN.experiments(family.networks))
        params:
            preset=config["preset"],
            experiments=[str(e) for e in PLAN.experiments(family.networks)],
            draws=config["probe"]["draws"],
        shell:
            "python -m layer_robustness.commands.distances {params.experiments} --data {input.data}"
            " --results results/{params.preset} --draws {params.draws} --device cpu --workers {threads} > {log} 2>&1"


for family in PLAN.joint_families:

    rule:
        name:
            f"joint_{family.rule}"
        input:
            **trained(family.networks),
            code=source_files("commands.joint"),
        output:
            PLAN.files(family.networks, "joint.csv"),
        log:
            f"{LOGS}/joint/{family.rule}.log",
        conda:
            "../../envs/heavy.yaml"
        threads: workers(family)
        resources:
            gpu=GPU,
            device=DEVICE,
        params:
            preset=config["preset"],
            experiments=[str(e) for e in PLAN.experiments(family.networks)],
            groups=PLAN.joint_groups(family.networks[0]),
            limits=config["probe"],
        shell:
            "python -m layer_robustness.commands.joint {params.experiments} --groups {params.groups}"
            " --data {input.data} --results results/{params.preset} --draws {params.limits[draws]}"
            " --micro-batch {params.limits[micro_batch]} --memory {params.limits[memory_gb]}"
            " --device {resources.device} --workers {threads} > {log} 2>&1"

# From trained networks to rows of numbers. Checkpoints are known by the checksums in their manifest.
PROBE = config["probe"]


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
        params:
            experiments=[str(e) for e in PLAN.experiments(family.networks)],
            limits=PROBE,
        log:
            f"{LOGS}/probe/{family.rule}.log",
        benchmark:
            f"{LOGS}/probe/{family.rule}.benchmark.tsv"
        threads: len(PLAN.experiments(family.networks))
        resources:
            gpu=GPU,
        conda:
            "../../envs/heavy.yaml"
        shell:
            "python -m layer_robustness.commands.probe {params.experiments} --data {input.data}"
            " --results {RESULTS} --draws {PROBE[draws]} --micro-batch {PROBE[micro_batch]}"
            " --memory {PROBE[memory_gb]} --device {DEVICE} --workers {threads} > {log} 2>&1"

    rule:
        name:
            f"distances_{family.rule}"
        input:
            **trained(family.networks),
            code=source_files("commands.distances"),
        output:
            PLAN.files(family.networks, "distances.csv"),
        params:
            experiments=[str(e) for e in PLAN.experiments(family.networks)],
            draws=PROBE["draws"],
        log:
            f"{LOGS}/distances/{family.rule}.log",
        threads: len(PLAN.experiments(family.networks))
        conda:
            "../../envs/heavy.yaml"
        shell:
            "python -m layer_robustness.commands.distances {params.experiments} --data {input.data}"
            " --results {RESULTS} --draws {params.draws} --device cpu --workers {threads} > {log} 2>&1"


for network in filter(PLAN.joint_groups, PLAN.networks):
    name = str(network).replace("/", "_")

    rule:
        name:
            f"joint_{name}"
        input:
            **trained([network]),
            code=source_files("commands.joint"),
        output:
            PLAN.files([network], "joint.csv"),
        params:
            experiments=[str(e) for e in PLAN.experiments([network])],
            groups=PLAN.joint_groups(network),
            limits=PROBE,
        log:
            f"{LOGS}/joint/{name}.log",
        threads: len(PLAN.experiments([network]))
        resources:
            gpu=GPU,
        conda:
            "../../envs/heavy.yaml"
        shell:
            "python -m layer_robustness.commands.joint {params.experiments} --groups {params.groups}"
            " --data {input.data} --results {RESULTS} --draws {PROBE[draws]}"
            " --micro-batch {PROBE[micro_batch]} --memory {PROBE[memory_gb]}"
            " --device {DEVICE} --workers {threads} > {log} 2>&1"

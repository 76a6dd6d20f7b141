# Training, one job for each family of networks. A network that was already trained by the same
# recipe, data and code is taken over from its resume/ folder, and one that was stopped goes on.
for family in PLAN.families:
    source = f"results/data/{PLAN.source(family.dataset)}"

    rule:
        name:
            f"train_{family.rule}"
        input:
            data=ancient(f"{source}.safetensors"),
            summary=f"{source}.json",
            code=source_files("commands.train"),
        output:
            checkpoints=[directory(path) for path in PLAN.files(family.networks, "checkpoints")],
            manifests=PLAN.files(family.networks, "checkpoints.json"),
            histories=PLAN.files(family.networks, "training.csv"),
        params:
            recipes=json.dumps(PLAN.recipes(family)),
        log:
            f"{LOGS}/train/{family.rule}.log",
        benchmark:
            f"{LOGS}/train/{family.rule}.benchmark.tsv"
        threads: len(PLAN.experiments(family.networks))
        resources:
            gpu=GPU,
        conda:
            "../../envs/heavy.yaml"
        shell:
            "python -m layer_robustness.commands.train --data {input.data} --results {RESULTS}"
            " --recipes {params.recipes:q} --device {DEVICE} --workers {threads} > {log} 2>&1"

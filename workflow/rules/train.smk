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
            checkpoints=[
                directory(path) for path in PLAN.files(family.networks, "checkpoints")
            ],
            manifests=PLAN.files(family.networks, "checkpoints.json"),
            histories=PLAN.files(family.networks, "training.csv"),
        log:
            f"{LOGS}/train/{family.rule}.log",
        benchmark:
            f"{LOGS}/train/{family.rule}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: workers(family)
        resources:
            gpu=GPU,
            device=DEVICE,
        params:
            preset=config["preset"],
            recipes=json.dumps(PLAN.recipes(family)),
        shell:
            "python -m layer_robustness.commands.train --data {input.data} --results results/{params.preset}"
            " --recipes {params.recipes:q} --device {resources.device} --workers {threads} > {log} 2>&1"

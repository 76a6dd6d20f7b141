# Training, one job for each family of experiments. One that was already trained by the same
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
                directory(path)
                for path in PLAN.files(family.experiments, "checkpoints")
            ],
            manifests=PLAN.files(family.experiments, "checkpoints.json"),
            histories=PLAN.files(family.experiments, "training.csv"),
        log:
            f"{LOGS}/train/{family.name}.log",
        benchmark:
            f"{LOGS}/train/{family.name}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "train", family)
        resources:
            **demand("train", family),
            processes=processes(family),
        params:
            preset=config["preset"],
            recipes=json.dumps(PLAN.recipes(family)),
        shell:
            "python -m layer_robustness.commands.train --data {input.data} {resources.images}"
            " --results results/{params.preset} --recipes {params.recipes:q}"
            " --device {resources.device} --workers {threads} --processes {resources.processes}"
            " > {log} 2>&1"

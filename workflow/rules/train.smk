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
            **PLAN.trained(family),
        log:
            f"{LOGS}/train/{family.name}.log",
        benchmark:
            f"{LOGS}/train/{family.name}.benchmark.tsv"
        cache: "train" in CACHED
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "train", family)
        resources:
            **demand("train", family),
            processes=processes(family),
            images=images(family.dataset),
        params:
            preset=config["preset"],
            recipes=json.dumps(PLAN.recipes(family)),
            # Which images ImageNet's folder has stands nowhere else in the cache's key.
            data=lambda wildcards, input: Path(input.summary).read_text(
                errors="replace"
            ),
        shell:
            "python -m layer_robustness.commands.train --data {input.data} {resources.images}"
            " --results results/{params.preset} --recipes {params.recipes:q}"
            " --device {resources.device} --workers {threads} --processes {resources.processes}"
            " > {log} 2>&1"

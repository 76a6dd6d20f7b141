# Table 2: attacks on stochastic classifiers, of which each trained network has several.
for family in PLAN.attacked_families:
    (experiment,) = family.experiments

    rule:
        name:
            f"adversarial_{family.rule}"
        input:
            **tested(family),
            code=source_files("commands.adversarial"),
        output:
            PLAN.files(family.experiments, "adversarial.csv"),
        log:
            f"{LOGS}/adversarial/{family.name}.log",
        benchmark:
            f"{LOGS}/adversarial/{family.name}.benchmark.tsv"
        conda:
            "../../envs/heavy.yaml"
        threads: partial(cores, "adversarial", family)
        resources:
            **demand("adversarial", family),
        params:
            preset=config["preset"],
            experiments=family.names,
            draws=DRAWS,
            replaced=PLAN.replaced(experiment.network),
            settings=json.dumps(config["adversarial"]),
        shell:
            "python -m layer_robustness.commands.adversarial {params.experiments} --data {input.data}"
            " --results results/{params.preset} --draws {params.draws} --replaced {params.replaced}"
            " --settings {params.settings:q} --device {resources.device} > {log} 2>&1"

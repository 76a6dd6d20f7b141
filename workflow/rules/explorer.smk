# One page to look up every cell of every heatmap in, ours beside the paper's.
EXPLORED = [figure for figure in FIGURES.values() if figure.kind == "heatmap"]
EXPLORED_SEEDS = {
    network: seeds
    for figure in EXPLORED
    for network, seeds in PLAN.target_seeds(figure).items()
}
HISTORIES = [
    f"{PLAN.results}/{network}/seed{seed}/training.csv"
    for network, seeds in EXPLORED_SEEDS.items()
    for seed in range(seeds)
]
PAGE = [
    os.path.relpath(SOURCE / "layer_robustness/explorer" / name)
    for name in ("page.html", "page.js")
]


rule explorer:
    input:
        figures=[f"paper_figures/{figure.name}.csv" for figure in EXPLORED],
        comparison="paper_figures/comparison.csv",
        paper=VALUES,
        histories=HISTORIES,
        page=PAGE,
        code=source_files("commands.explorer"),
    output:
        "paper_figures/explorer.html",
    log:
        f"{LOGS}/comparison/explorer.log",
    localrule: True
    conda:
        "../../envs/light.yaml"
    params:
        preset=config["preset"],
        paper=lambda wildcards, input: os.path.dirname(input.paper[0]),
        seeds=json.dumps(EXPLORED_SEEDS),
        small_prints=json.dumps({f.name: PLAN.small_print(f) for f in EXPLORED}),
    shell:
        "python -m layer_robustness.commands.explorer --figures paper_figures"
        " --results results/{params.preset} --paper {params.paper:q} --seeds {params.seeds:q}"
        " --small-prints {params.small_prints:q} --output {output} > {log} 2>&1"

# One page to look up every cell of every heatmap in, ours beside the paper's.
EXPLORED = [figure for figure in FIGURES.values() if figure.kind == "heatmap"]
EXPLORED_NETWORKS = [
    network
    for network in PLAN.networks
    if any(network in figure.networks for figure in EXPLORED)
]
PAGE = Path(SOURCE, "layer_robustness", "explorer")


rule explorer:
    input:
        figures=[f"paper_figures/{figure.name}.csv" for figure in EXPLORED],
        comparison="paper_figures/comparison.csv",
        paper="resources/paper/figure_heatmaps.csv",
        histories=[
            file
            for network in EXPLORED_NETWORKS
            for file in PLAN.files(PLAN.seeds(network), "training.csv")
        ],
        code=source_files("commands.explorer"),
        page=[os.path.relpath(PAGE / name) for name in ("page.html", "page.js")],
    output:
        "paper_figures/explorer.html",
    log:
        f"{LOGS}/explorer.log",
    conda:
        "../../envs/light.yaml"
    params:
        preset=config["preset"],
        seeds=json.dumps(
            {str(n): len(PLAN.seeds(n)) for n in EXPLORED_NETWORKS}
        ),
        small_prints=json.dumps(
            {figure.name: PLAN.small_print(figure) for figure in EXPLORED}
        ),
    shell:
        "python -m layer_robustness.commands.explorer --figures paper_figures"
        " --results results/{params.preset} --paper resources/paper --seeds {params.seeds:q}"
        " --small-prints {params.small_prints:q} --output {output} > {log} 2>&1"

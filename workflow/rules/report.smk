# Pages for Snakemake's report, which shows pictures and HTML but neither Markdown nor CSV.
COMPARISON = "Comparison with the paper"

PRESET = {"preset": config["preset"]}

# By name: what is made a page, its category and its labels.
PAGES = {
    "claims": ("md", COMPARISON, {"figure": "The paper's claims"} | PRESET),
    "comparison_panels": ("csv", COMPARISON, {"figure": "Agreement by panel"} | PRESET),
}
for table in TABLES.values():
    PAGES[table.name] = ("md", table.section, labels(table, config["preset"]))

for name, (suffix, category, labelled) in PAGES.items():

    rule:
        name:
            f"page_{name}"
        input:
            source=f"paper_figures/{name}.{suffix}",
            code=source_files("commands.page"),
        output:
            report(
                f"paper_figures/{name}.html",
                caption=f"../report/{name}.rst",
                category=category,
                labels=labelled,
            ),
        log:
            f"{LOGS}/pages/{name}.log",
        localrule: True
        conda:
            "../../envs/light.yaml"
        shell:
            "python -m layer_robustness.commands.page {input.source} {output} > {log} 2>&1"

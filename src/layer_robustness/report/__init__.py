"""Pages and labels of Snakemake's report."""

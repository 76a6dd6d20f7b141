# What is taken from the cache is not measured: Snakemake allows no benchmark file of it, and no
# other way to leave it out in some runs only. How long training took stands in its training.csv.
for cached in workflow.rules:
    if cached.cache.output:
        cached._benchmark = None

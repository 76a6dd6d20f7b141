"""Names of networks and experiments, the units of each architecture, groups of units, recipes."""

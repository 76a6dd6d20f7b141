"""From the config to the jobs of the workflow: what is run, of what it is made, what it needs."""

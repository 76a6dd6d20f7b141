"""The steps of the workflow, each a command: `python -m layer_robustness.commands.train --help`."""

"""Draw figures and tables from kept results, without training anything.

A folder of kept results has the layout of results/{preset}, and the config that made them beside.
"""

import argparse
from pathlib import Path

import yaml

from layer_robustness.commands import figure, table
from layer_robustness.figures.collect import collect
from layer_robustness.figures.figure import Figure
from layer_robustness.planning.plan import Plan, Target
from layer_robustness.runtime.errors import InputError, exit_with_one_line


def main() -> None:
    """Draw whatever the folder has all results of."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kept", type=Path, help="folder of kept results, with their config.yaml")
    parser.add_argument("--output", type=Path, required=True, help="folder of the figures")
    arguments = parser.parse_args()
    config = arguments.kept / "config.yaml"
    plan = Plan(read_config(config))
    targets = [target for target in plan.targets if is_kept(plan, target, arguments.kept)]
    if not targets:
        raise InputError(f"{arguments.kept} has all results of no figure or table")
    for target in targets:
        draw(plan, target, arguments.kept, arguments.output)
        print(arguments.output / target.name)


def read_config(path: Path) -> dict:
    """Read the config that made the kept results; it was checked when it did."""
    try:
        return dict(yaml.safe_load(path.read_text()))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"{path} cannot be read ({reason}): expected the config that made the kept results"
        ) from error


def is_kept(plan: Plan, target: Target, kept: Path) -> bool:
    """Whether all results are there that the target was made from."""
    files = [Path(file).relative_to(plan.results) for file in plan.target_files(target)]
    return bool(files) and all((kept / file).is_file() for file in files)


def draw(plan: Plan, target: Target, kept: Path, output: Path) -> None:
    """Draw one figure, or write one table."""
    seeds, small_print = plan.target_seeds(target), plan.small_print(target)
    if isinstance(target, Figure):
        figure.write(target, collect(target, kept, seeds), output, small_print)
    else:
        frame = table.KINDS[target.kind].collect(target, kept, seeds)
        table.write(target, frame, output, small_print)


if __name__ == "__main__":
    exit_with_one_line(main)

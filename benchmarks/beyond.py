"""Write the tables of docs/beyond.md from the results of a preset, and copy the pictures it shows.

    python benchmarks/beyond.py --preset quick

Run it after `make figures`: every number on the page comes from the files it read. What stands
between the marks of a table is replaced, all else on the page stays.
"""

import argparse
import re
import shutil
from pathlib import Path

import pandas as pd

from layer_robustness.experiments import paths
from layer_robustness.figures.beyond.registry import FIGURES, label
from layer_robustness.figures.beyond.rows import barriers, on_line
from layer_robustness.networks.result import Result
from layer_robustness.paper.criticality import CRITICAL

PAGE = Path("docs/beyond.md")
PICTURES = (*FIGURES, "networks")
SOURCES = ("reinit", "rerand", "rescaled", "shuffle", "zero")

LEAST = 0.001  # of cross entropy: a lower barrier is none


def critical(results: dict[str, Result]) -> str:
    """Count the critical units of each network, for each source."""
    rows = []
    for entry, result in results.items():
        trained = result.frame.iloc[0]
        row = {"network": label(entry), "test error": f"{trained['error']:.3f}"}
        row["units"] = result.resets["unit"].nunique()
        for source in SOURCES:
            costs = result.costs(source)
            row[source] = sum(cost > CRITICAL for cost in costs.values()) if costs else ""
        rows.append(row)
    return pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)


def named(results: dict[str, Result]) -> str:
    """Name the units that are critical to re-initialization, with their costs."""
    rows = []
    for entry, result in results.items():
        found = [f"{u} ({c:.2f})" for u, c in result.costs("reinit").items() if c > CRITICAL]
        rows.append({"network": label(entry), "critical to `reinit`": ", ".join(found) or "none"})
    return pd.DataFrame(rows).to_markdown(index=False)


def scale(results: dict[str, Result]) -> str:
    """Of the units critical to a fresh draw, how many are so no longer at the trained scale."""
    rows = []
    for entry, result in results.items():
        costs = {source: result.costs(source) for source in ("rerand", "rescaled", "shuffle")}
        if not all(costs.values()):
            continue
        fresh = [unit for unit, cost in costs["rerand"].items() if cost > CRITICAL]
        row = {"network": label(entry), "critical to `rerand`": len(fresh)}
        for source in ("rescaled", "shuffle"):
            row[f"of these to `{source}`"] = sum(costs[source][u] > CRITICAL for u in fresh)
        rows.append(row)
    return pd.DataFrame(rows).to_markdown(index=False)


def highest(results: dict[str, Result]) -> str:
    """Give the three highest barriers of each network, in cross entropy."""
    rows = []
    for entry, result in results.items():
        losses = on_line(result, "loss")
        if losses.empty:
            continue
        found = barriers(losses).sort_values(ascending=False)
        three = found[found >= LEAST][:3].items()
        text = ", ".join(f"{unit} ({height:.3f})" for unit, height in three) or "none"
        rows.append({"network": label(entry), f"highest barriers, of at least {LEAST}": text})
    return pd.DataFrame(rows).to_markdown(index=False)


TABLES = {"critical": critical, "named": named, "scale": scale, "highest": highest}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="quick")
    preset = parser.parse_args().preset
    folder = Path(paths.results(preset), "beyond")
    files = sorted(folder.glob(f"*/{paths.PROBE}"))
    results = {path.parent.name: Result.read(path) for path in files}
    page = PAGE.read_text()
    for name, table in TABLES.items():
        begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
        text = f"{begin}\n{table(results)}\n{end}"
        print(f"{text}\n")
        page = re.sub(f"{begin}.*?{end}", lambda _, text=text: text, page, flags=re.DOTALL)
    PAGE.write_text(page)
    kept = Path("docs/results", preset)
    kept.mkdir(parents=True, exist_ok=True)
    for name in PICTURES:
        shutil.copy(f"{paths.shown(preset)}/{name}.png", kept / f"{name}.png")


if __name__ == "__main__":
    main()

"""Judge the paper's claims by results: claims.csv, every number, and claims.md, to be read."""

import argparse
from pathlib import Path

from layer_robustness.paper import setups
from layer_robustness.paper.claims import summary
from layer_robustness.paper.claims.criteria import CLAIMS
from layer_robustness.paper.claims.evidence import Results
from layer_robustness.paper.claims.judgement import judge
from layer_robustness.paper.criticality import CRITICAL
from layer_robustness.runtime.errors import exit_with_one_line
from layer_robustness.storage.files import replacing


def main() -> None:
    """Judge all claims."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=Path, required=True, help="folder of the preset")
    parser.add_argument("--data", type=Path, required=True, help="folder of the data's summaries")
    parser.add_argument("--output", type=Path, required=True, help="folder of the figures")
    parser.add_argument("--setups", required=True, help="of each network that ran, as JSON")
    arguments = parser.parse_args()
    run = setups.read(arguments.setups, arguments.data)
    rows = judge(CLAIMS, Results(arguments.results, run))
    small_print = setups.describe(arguments.results.name, run)
    head = summary.HEAD.format(small_print=small_print, critical=CRITICAL)
    texts = {".csv": rows.to_csv(index=False), ".md": summary.markdown(CLAIMS, rows, head)}
    for suffix, text in texts.items():
        with replacing(arguments.output / f"claims{suffix}") as temporary:
            temporary.write_text(text)


if __name__ == "__main__":
    exit_with_one_line(main)

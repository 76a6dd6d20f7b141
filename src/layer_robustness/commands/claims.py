"""Judge the paper's claims by results: every number (.csv), and a page to be read (.md, .html)."""

from layer_robustness.commands import target
from layer_robustness.paper import setups
from layer_robustness.paper.claims import summary
from layer_robustness.paper.claims.claims import CLAIMS
from layer_robustness.paper.claims.evidence import Evidence
from layer_robustness.paper.claims.judgement import judge
from layer_robustness.paper.criticality import CRITICAL
from layer_robustness.report import pages
from layer_robustness.runtime.errors import exit_with_one_line


def main() -> None:
    """Judge all claims."""
    arguments = target.parser(__doc__).parse_args()
    results = target.results(arguments)
    rows = judge(CLAIMS, Evidence(results))
    small_print = setups.describe(arguments.preset, results.setups)
    scope = "" if setups.all_papers(results.setups) else summary.ABOUT_OTHERS
    head = summary.HEAD.format(small_print=small_print, scope=scope, critical=CRITICAL)
    markdown = summary.markdown(CLAIMS, rows, head)
    page = pages.of_markdown("claims", markdown)
    texts = {".csv": rows.to_csv(index=False), ".md": markdown, ".html": page}
    target.write_texts(arguments.output, texts)


if __name__ == "__main__":
    exit_with_one_line(main)

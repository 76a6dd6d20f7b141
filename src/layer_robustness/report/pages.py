"""Markdown and tables as plain HTML pages, each of one file, for what shows nothing else."""

import jinja2
import pandas as pd
from markdown_it import MarkdownIt

PAGE = jinja2.Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
  body { margin: 1.5rem; color: #1d1d1f; background: #fff;
    font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
  p { max-width: 48rem; }
  .wide { overflow-x: auto; }
  table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
  th, td { padding: .25rem .75rem; text-align: left; }
  thead th { border-bottom: 1px solid #86868b; }
  tbody tr:nth-child(even) { background: #f4f4f6; }
</style>
</head>
<body>
{{ body | safe }}
</body>
</html>
""",
    autoescape=True,
)


def of_markdown(title: str, text: str) -> str:
    """Return the page of a Markdown text; HTML within it is shown, not followed."""
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    parser.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    parser.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return PAGE.render(title=title, body=parser.render(text))


def of_table(title: str, frame: pd.DataFrame) -> str:
    """Return the page of a table; what is missing is blank."""
    table = frame.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format)
    return PAGE.render(title=title, body=f'<div class="wide">{table}</div>')

"""The few pieces of HTML that a report is made of."""

import math
from html import escape

CSS = """
body { color: #222; background: #fff; max-width: 64rem; margin: 2rem auto;
  padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1, h2 { line-height: 1.2; } h2 { margin-top: 2.2rem; }
.lead { font-size: 1.15rem; } .missing { color: #666; font-style: italic; }
.note { border-left: 0.25rem solid #d55e00; padding-left: 0.8rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.82rem; margin: 0.8rem 0; }
th, td { padding: 0.2rem 0.45rem; text-align: left; border-bottom: 1px solid #ddd;
  overflow-wrap: anywhere; }
thead th { border-bottom: 2px solid #222; overflow-wrap: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
td.n { overflow-wrap: normal; white-space: nowrap; }
td:first-child { min-width: 7.5rem; }
figure { margin: 1.5rem 0; break-inside: avoid; }
img { max-width: 100%; height: auto; } figcaption { color: #444; font-size: 0.9rem; }
.key { border: 1px solid #ddd; border-radius: 0.4rem; padding: 0.2rem 1rem;
  margin: 1rem 0; break-inside: avoid; }
details { margin: 0.8rem 0; } summary { cursor: pointer; font-weight: 600; }
@media print { body { margin: 0; font-size: 10pt; } h2 { break-after: avoid; } }
"""


def table(head, rows, text: int) -> str:
    """Returns a table whose first `text` columns are words, the others numbers."""

    def line(cells, tag):
        kinds = [tag if i < text else f'{tag} class="n"' for i in range(len(cells))]
        pairs = zip(kinds, cells, strict=True)
        return "".join(f"<{kind}>{escape(str(cell))}</{tag}>" for kind, cell in pairs)

    body = "\n".join(f"<tr>{line(row, 'td')}</tr>" for row in rows)
    return (
        f'<div class="wide"><table><thead><tr>{line(head, "th")}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>"
    )


def missing(what) -> str:
    """Returns a line about what is not there."""
    return f'<p class="missing">Missing: {escape(what)}.</p>'


def number(value) -> str:
    """Formats a number, `n/a` for none."""
    if isinstance(value, float):
        if not math.isfinite(value):
            return "n/a"
        return f"{value:.4f}" if value == 0 or abs(value) >= 1e-3 else f"{value:.2e}"
    return "n/a" if value is None else str(value)


def percent(value) -> str:
    """Formats a share in percent, `n/a` for `None`."""
    return "n/a" if value is None else f"{value:.1%}"


def flat(tree, prefix="") -> list[list[str]]:
    """Returns rows of name and value of nested dictionaries."""
    rows = []
    for key, value in tree.items():
        if isinstance(value, dict):
            rows += flat(value, f"{prefix}{key}.")
        else:
            rows.append([f"{prefix}{key}", value])
    return rows

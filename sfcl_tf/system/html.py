"""Pages from the templates in `templates/`, and how they write numbers."""

import base64
import math
from html import escape

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup


def render(template: str, **values) -> str:
    """Fills in a template; all that is not `Markup` is escaped.

    Args:
        template: Its path in `sfcl_tf/templates`.
        **values: What it names; a name that is missing is an error.
    """
    return _TEMPLATES.get_template(template).render(values)


def data_uri(content: bytes, kind: str) -> str:
    """Returns a picture of a kind, such as `png`, as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


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


def _escaped(value) -> Markup:
    """Escapes as the standard library does, with `&quot;` for a quotation mark."""
    if hasattr(value, "__html__"):
        return value
    return Markup(escape(str(value)))  # noqa: S704 - escaped just here


_TEMPLATES = Environment(
    loader=PackageLoader("sfcl_tf"),
    autoescape=True,
    finalize=_escaped,
    keep_trailing_newline=True,
    lstrip_blocks=True,
    trim_blocks=True,
    undefined=StrictUndefined,
)
_TEMPLATES.filters |= {"number": number, "percent": percent}

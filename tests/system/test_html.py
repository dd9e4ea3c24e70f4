"""Templates: escaped whatever comes, and never silent about a name that is missing."""

import jinja2
import pytest
from markupsafe import Markup

from sfcl_tf.system.html import render


def test_all_but_markup_is_escaped_and_nothing_is_evaluated():
    hostile = """<script>alert("{{7*7}}")</script>&'"""
    page = render("app/waiting.html.j2", name=hostile)
    told = "&lt;script&gt;alert(&quot;{{7*7}}&quot;)&lt;/script&gt;&amp;&#x27;"
    assert f">{told}<" in page
    assert ">a <b>b</b><" in render("app/waiting.html.j2", name=Markup("a <b>b</b>"))


def test_a_name_that_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="'name' is undefined"):
        render("app/waiting.html.j2")

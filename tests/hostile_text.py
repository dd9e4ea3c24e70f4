"""Text as an attacker might choose it, and a check that a page only shows it."""

from html.parser import HTMLParser


def hostile(*names):
    """Returns a text for each name, without a slash, so that files can be called so."""
    return {name: f"\"'><script>{name}({{{{7*7}}}})&" for name in names}


class Shown(HTMLParser):
    """What a reader of a page can see of it, its attributes included."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.text = set(), ""
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        for name, value in attributes:
            assert not name.startswith("on")
            self.text += value

    def handle_data(self, data):
        self.text += data


def check_shown(page, texts):
    """Checks that a page shows texts as they are, and is nothing that they say."""
    shown = Shown(page)
    assert "script" not in shown.tags
    for text in texts:
        assert text in shown.text
        assert text not in page

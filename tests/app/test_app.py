"""The page in a real browser: what it shows, asks of the network, and leaves behind."""

import importlib.util
import re
import shutil
import signal
import socket
import time

import numpy as np
import pytest
import requests
from app.process import WAIT, App, until

from sfcl_tf.app.serve import PageSettings, serving
from sfcl_tf.system.errors import UsageError

if importlib.util.find_spec("gradio") is None:
    pytest.skip("the extra [app] is not installed", allow_module_level=True)
sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
if not CHROMIUM:
    pytest.skip("needs Chromium on the PATH", allow_module_level=True)


@pytest.fixture(scope="module")
def app(run, tmp_path_factory):
    app = App(run, tmp_path_factory.mktemp("app"), "--max-size", "1", "--fps", "5")
    yield app
    assert app.ends(signal.SIGINT) == 130
    assert not list(app.temporary.iterdir())


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


class Visitor:
    """A visitor with a browser of their own."""

    def __init__(self, browser, url):
        self.errors, self.hosts = [], set()
        self._context = browser.new_context()
        page = self.page = self._context.new_page()
        page.set_default_timeout(1000 * WAIT)
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._request(request.url))
        page.goto(url)
        page.wait_for_selector("#drop input[type=file]", state="attached")

    def _console(self, message):
        if message.type == "error":
            self.errors.append(message.text)

    def _request(self, url):
        if url.startswith(("http", "ws")):
            self.hosts.add(url.split("/")[2].split(":")[0])

    def drop(self, path):
        self.page.set_input_files("#drop input[type=file]", path)

    def verdict(self, name):
        """Waits for what is said of a file."""
        card = self.page.locator("#verdict .card", has_text=name)
        card.locator(".badge").wait_for()
        return card.inner_text()

    def explained(self, before=""):
        """Waits for an explanation other than one that was there; returns its title."""
        self.page.wait_for_function(
            "before => { const title = document.querySelector('.explained h2');"
            " return title && title.innerText !== before }",
            arg=before,
        )
        return self.page.inner_text(".explained h2")

    def leave(self):
        self._context.close()


@pytest.fixture
def visit(app, browser):
    visitors = []

    def come():
        visitors.append(Visitor(browser, app.url))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.leave()


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory, write_clip, astronaut):
    """Two minutes, which take longer to look at than a test waits."""
    folder = tmp_path_factory.mktemp("long")
    frames = np.broadcast_to(astronaut, (3000, *astronaut.shape))
    return write_clip(folder / "long.mp4", frames, crf=40, pixel_format="yuv420p")


def test_a_video_becomes_a_verdict_and_nothing_stays(app, visit, clips, tmp_path):
    visitor = visit()
    page = visitor.page
    assert "evidence, never proof" in page.inner_text("body")
    assert "Model small" in page.inner_text("body")

    visitor.drop(clips / "face.mp4")
    told = visitor.verdict("face.mp4")
    assert re.search(r"fake|uncertain|real", told, re.IGNORECASE)
    assert re.search(r"P\(fake\) is [01]\.\d+", told)
    assert "50 frames" in told
    assert not app.files()

    highest = visitor.explained()
    place = page.locator(".plot .moment.on").first.get_attribute("data-moment")
    page.locator(".strip .moment:not(.on)").first.click()
    chosen = visitor.explained(highest)
    others = page.locator(f'.plot .moment:not(.on):not([data-moment="{place}"])')
    others.last.click()
    assert visitor.explained(chosen) not in (highest, chosen)
    drawn = page.evaluate(
        "[...document.querySelectorAll('#moment img')].map(i => i.naturalWidth)"
    )
    assert len(drawn) >= 3
    assert min(drawn) > 100

    with page.expect_download() as download:
        page.get_by_text("Download the report").click()
    assert download.value.suggested_filename == "face_report.html"
    download.value.save_as(tmp_path / "report.html")
    report = (tmp_path / "report.html").read_text("utf-8")
    assert "face.mp4" in report
    assert str(app.temporary) not in report

    visitor.leave()
    until(lambda: not app.files())
    assert not visitor.errors
    assert visitor.hosts == {"127.0.0.1"}


def test_files_that_cannot_be_used_are_told_of(app, visit, tmp_path, clips):
    visitor = visit()
    text = tmp_path / "notes <b>${1}{{x}}.txt"
    text.write_text("no film at all\n" * 50)
    visitor.drop(text)
    told = visitor.verdict("notes <b>${1}{{x}}.txt")
    assert "could not be looked at" in told
    assert str(app.temporary) not in told

    visitor.drop(clips / "grey.mp4")
    assert "no face was found" in visitor.verdict("grey.mp4")

    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(3 << 20))
    visitor.drop(large)
    visitor.page.get_by_text("exceed the maximum allowed size of 1.0 Mb").wait_for()
    assert (
        requests.post(
            f"{app.url}/gradio_api/upload",
            files={"files": bytes(3 << 20)},
            timeout=WAIT,
        ).status_code
        == 413
    )
    assert not visitor.errors
    assert not app.files()
    assert not any("Traceback" in line for line in app.lines)


def test_visitors_see_their_own(visit, clips):
    one, other = visit(), visit()
    one.drop(clips / "face.png")
    one.verdict("face.png")
    assert not other.page.locator("#verdict .badge").count()
    other.drop(clips / "face.mp4")
    other.verdict("face.mp4")
    one.page.locator(".strip .moment").first.click()
    assert "0:00.0" in one.explained()
    assert "face.mp4" not in one.page.inner_text("body")
    assert one.page.locator(".strip .moment").count() == 1


def test_a_look_is_given_up_for_another_file_on_stop_and_on_leaving(
    app, visit, clips, long_clip
):
    visitor = visit()
    visitor.drop(long_clip)
    visitor.page.get_by_text("pictures looked at").wait_for()
    visitor.drop(clips / "face.png")
    assert "1 of 1 pictures" in visitor.verdict("face.png")

    visitor.drop(long_clip)
    visitor.page.get_by_text("pictures looked at").wait_for()
    visitor.page.locator("#stop").click()
    visitor.page.get_by_text("The file is deleted.").wait_for()

    visitor.drop(long_clip)
    visitor.page.get_by_text("pictures looked at").wait_for()
    visitor.leave()
    until(lambda: not app.files())
    assert not visitor.errors
    after = visit()
    after.drop(clips / "face.png")
    after.verdict("face.png")


def test_the_end_comes_at_once_and_leaves_nothing(run, browser, long_clip, tmp_path):
    app = App(run, tmp_path, "--fps", "5")
    visitor = Visitor(browser, app.url)
    visitor.drop(long_clip)
    visitor.page.get_by_text("pictures looked at").wait_for()
    assert app.files()
    start = time.monotonic()
    assert app.ends(signal.SIGTERM) == 0
    assert time.monotonic() - start < WAIT / 4
    assert not list(tmp_path.iterdir())
    assert not any("Traceback" in line for line in app.lines), app.lines
    visitor.leave()


def test_an_address_that_is_taken_is_told_of():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with (
            pytest.raises(UsageError, match="an address that is free"),
            serving(None, PageSettings(port=port)),
        ):
            pass

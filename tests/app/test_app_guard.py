"""What is refused before Gradio sees it, and what of an upload stays on the disk."""

import asyncio
import collections
import importlib.util
import json
import shutil

import pytest

if importlib.util.find_spec("gradio") is None:
    pytest.skip("the extra [app] is not installed", allow_module_level=True)

from sfcl_tf.app import bodies, multipart, uploads
from sfcl_tf.app.guard import Guard
from sfcl_tf.app.hosts import Hosts
from sfcl_tf.app.uploads import AT_ONCE, Uploads

MOST = 1 << 20  # bytes of a file
UPLOAD = "/gradio_api/upload"
FORM = "multipart/form-data; boundary=cut"
HOST = "127.0.0.1:7860"


def form(*files, name="clip.mp4"):
    """Returns a form's body."""
    head = f'--cut\r\nContent-Disposition: form-data; name="files"; filename="{name}"'
    parts = [head.encode() + b"\r\n\r\n" + file + b"\r\n" for file in files]
    return b"".join(parts) + b"--cut--\r\n"


class Page:
    """A guard, and a page behind it that answers with what it was sent."""

    def __init__(self, root):
        self.root, self.reports, self.seen = root, root / "visits", []
        self.reports.mkdir()
        self.uploads = Uploads(root, MOST)
        hosts = Hosts("127.0.0.1", 7860)
        self.guard = Guard(self._app, hosts, self.uploads, self.reports)

    async def _app(self, scope, receive, send):
        self.seen.append(scope["path"])
        message = await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": message.get("body", b"")})

    def files(self):
        return [path for path in self.root.rglob("*") if path.is_file()]

    def ask(self, *args, **options):
        return asyncio.run(self.answer(*args, **options))

    async def answer(
        self, path, chunks=(), method="POST", *, form=FORM, kind="http", **headers
    ):
        """Sends a request.

        A chunk may be bytes, seconds of silence, or `None`, at which the connection
        breaks.

        Returns:
            Status, body, and how many chunks were taken before the answer.
        """
        chunks = collections.deque(chunks)
        there = {"host": HOST, "content-type": form if chunks else ""} | headers
        path, _, query = path.partition("?")
        scope = {
            "type": kind,
            "path": path,
            "method": method,
            "query_string": query.encode(),
            "headers": [
                (name.replace("_", "-").encode(), value.encode())
                for name, value in there.items()
                if value
            ],
        }
        sent, taken, before = [], 0, None

        async def receive():
            nonlocal taken
            while chunks and isinstance(chunks[0], float):
                await asyncio.sleep(chunks.popleft())
            if not chunks and taken:
                await asyncio.Event().wait()
            chunk = chunks.popleft() if chunks else b""
            taken += 1
            if chunk is None:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

        async def send(message):
            nonlocal before
            before = taken if before is None else before
            sent.append(message)

        await self.guard(scope, receive, send)
        if not sent:
            return None
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0].get("status", sent[0]["type"]), body.decode(), before


@pytest.fixture
def page(tmp_path):
    return Page(tmp_path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("path", ["/", UPLOAD, "/gradio_api/queue/data", "/x"])
def test_other_hosts_and_other_pages_are_refused_everywhere(page, path, method):
    status, told, taken = page.ask(path, [form(b"film")], method, host="evil.com")
    assert (status, taken) == (421, 0)
    assert ("evil.com" in told) == (method != "HEAD")
    for origin in ("http://evil.com", "null", "http://127.0.0.1:8888"):
        assert page.ask(path, [form(b"film")], method, origin=origin)[0] == 403
    assert page.ask(path, kind="websocket", host="evil.com")[0] == "websocket.close"
    assert not page.seen
    assert not page.files()


def test_requests_of_the_page_itself_pass_with_their_body(page):
    chunks = [b'{"a"', b": 1}"]
    for origin in ("", f"http://{HOST}", "http://localhost:7860"):
        status, told, _ = page.ask(
            "/gradio_api/run/predict",
            chunks,
            form="application/json",
            origin=origin,
            transfer_encoding="chunked",
        )
        assert (status, told) == (200, '{"a": 1}')
    assert page.ask("/config", method="GET")[0] == 200


def test_other_requests_have_small_bodies_and_no_forms(page, monkeypatch):
    monkeypatch.setattr(bodies, "_IDLE", 0.05)
    monkeypatch.setattr(bodies, "_LINGER", 0.05)
    path, json = "/gradio_api/queue/join", {"form": "application/json"}
    status, told, taken = page.ask(path, [b"x"], content_length="1900000", **json)
    assert (status, taken) == (413, 0)
    assert "Expected a request of at most 1048576 bytes. Received: 1900000" in told
    chunks = [bytes(1 << 19)] * 3
    assert page.ask(path, chunks, transfer_encoding="chunked", **json)[0] == 413
    chunks = [b"x", 0.5, b"x"]
    assert page.ask(path, chunks, transfer_encoding="chunked", **json)[0] == 408
    for each in ("/gradio_api/process_recording", "/gradio_api/component_server"):
        assert page.ask(each, [form(b"film")], form=FORM.title())[0] == 415
    assert not page.seen


def test_only_reports_are_given_out(page):
    status, told, _ = page.ask(UPLOAD, [form(b"film")])
    assert status == 200
    report = page.reports / "clip_report.html"
    report.touch()
    for file in (
        *json.loads(told),
        page.reports / "upload.mp4",
        page.root / "a.html",
        f"{page.reports}/../a.html",
        "http://example.org/a.html",
        "/etc/passwd",
        "a\0.html",
    ):
        for route in ("file=", "file/", "proxy="):
            for method in ("GET", "HEAD"):
                path = f"/gradio_api/{route}{file}"
                assert page.ask(path, method=method)[0] == 403, path
    assert not page.seen
    assert page.ask(f"/gradio_api/file={report}", method="GET")[0] == 200


def test_each_upload_has_a_folder_that_nobody_can_guess(page):
    body = form(b"film", name="../../a <b>.MP4")
    paths = []
    for chunks in ([body], [bytes([each]) for each in body]):
        status, told, _ = page.ask(UPLOAD, chunks)
        assert status == 200
        paths += json.loads(told)
    files = page.files()
    assert sorted(map(str, files)) == sorted(paths)
    assert len({file.parent for file in files}) == 2
    for file in files:
        assert file.read_bytes() == b"film"
        assert file.name == "upload.mp4"
        assert len(file.parent.name) > 20
        assert file.parent.parent == page.root
        assert file.parent.stat().st_mode & 0o077 == 0


def test_an_upload_that_is_announced_as_too_large_is_not_read(page):
    length = str(4 * MOST)
    status, told, taken = page.ask(UPLOAD, [form(b"film")], content_length=length)
    assert (status, taken) == (413, 0)
    assert f"at most {2 * MOST} bytes. Received: {length} bytes." in told
    assert "--max-size" in told
    assert not list(page.root.glob("[!v]*"))


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([form(bytes(MOST + 1))], 413),
        ([form(b"")[:-9], *[bytes(MOST // 2)] * 5], 413),
        ([form(b"film", b"another")], 413),
        ([b"--cut--\r\n"], 400),
        ([form(b"film")[:-4]], 400),
        ([form(b"film").replace(b"; filename=", b"; f=")], 400),
        ([b"no form"], 400),
        ([b"--cut\r\nA: " + bytes(20000)], 400),
        ([form(b"film")[:-20], None], None),
        ([form(b"film")[:-20], *[0.02, b"x"] * 200], 408),
    ],
)
def test_of_an_upload_that_is_refused_or_breaks_off_nothing_stays(
    page, monkeypatch, chunks, expected
):
    monkeypatch.setattr(bodies, "_IDLE", 0.1)
    monkeypatch.setattr(bodies, "_GRACE", 0.5)
    monkeypatch.setattr(bodies, "_LINGER", 0.1)
    answer = page.ask(UPLOAD, chunks)
    assert (answer and answer[0]) == expected
    assert not list(page.root.glob("[!v]*"))
    if answer:
        assert all(word in answer[1] for word in ("Expected", "Received", ". Send"))
    # The room that it took is free again.
    for _ in range(3):
        assert page.ask(UPLOAD, [form(bytes(MOST))])[0] == 200


def test_an_upload_that_pauses_is_refused(page, monkeypatch):
    body = form(b"film")
    chunks = [body[:-20], 0.5, body[-20:]]
    assert page.ask(UPLOAD, chunks)[0] == 200
    monkeypatch.setattr(bodies, "_IDLE", 0.1)
    monkeypatch.setattr(bodies, "_LINGER", 0.1)
    assert page.ask(UPLOAD, chunks)[0] == 408
    assert len(page.files()) == 1


def test_what_is_no_form_is_refused(page, monkeypatch):
    for kind in ("text/plain", "multipart/form-data", f"{FORM}{500 * 'x'}"):
        assert page.ask(UPLOAD, [form(b"film")], form=kind)[0] == 400
    monkeypatch.setattr(multipart, "_MAX_HEADERS", 200)
    assert page.ask(UPLOAD, [form(b"film")])[0] == 200
    assert page.ask(UPLOAD, [form(b"film", name=200 * "a")])[0] == 400


def test_the_folder_holds_a_few_of_the_largest_files(page):
    body = form(bytes(MOST))
    length = str(len(body))
    answers = [page.ask(UPLOAD, [body], content_length=length)[0] for _ in range(9)]
    assert 4 <= answers.count(200) <= 8
    assert answers[-1] == 507
    status, told, taken = page.ask(UPLOAD, [body], content_length=length)
    assert (status, taken) == (507, 0)
    assert "Expected" in told
    page.files()[0].unlink()
    assert page.ask(UPLOAD, [body], content_length=length)[0] == 200


def test_some_of_the_disk_stays_free(page, monkeypatch):
    usage = shutil.disk_usage(page.root)
    free = uploads._SPARE + 1000
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=free))
    body = form(b"film")
    assert page.ask(UPLOAD, [body], content_length=str(len(body)))[0] == 200
    body = form(bytes(2000))
    assert page.ask(UPLOAD, [body], content_length=str(len(body)))[0] == 507
    assert page.ask(UPLOAD, [form(b"film")])[0] == 507  # its size is unknown


def test_uploads_at_a_time_are_bounded_by_number_and_by_what_they_announce(page):
    small = form(b"film")
    begun = [small[:-4], 0.2, small[-4:]]

    async def together(count, **headers):
        asked = [page.answer(UPLOAD, begun, **headers) for _ in range(count)]
        return [answer[0] for answer in await asyncio.gather(*asked)]

    some = asyncio.run(together(AT_ONCE + 2, content_length=str(len(small))))
    assert sorted(some) == [200] * AT_ONCE + [503] * 2
    # Of unknown size, each may be as large as the largest.
    assert sorted(asyncio.run(together(6))).count(507) >= 2


def test_what_is_on_its_way_is_counted_once(page):
    part = form(bytes(MOST))
    begun = [part[:-4], 0.4, part[-4:]]  # each reserves the most that it may have

    async def last():
        await asyncio.sleep(0.2)
        return await page.answer(UPLOAD, [part], content_length=str(len(part)))

    async def together():
        others = [page.answer(UPLOAD, begun) for _ in range(3)]
        return await asyncio.gather(*others, last())

    assert [answer[0] for answer in asyncio.run(together())] == [200] * 4


def test_how_far_an_upload_is_can_be_followed(page):
    body = form(bytes(200_000), name="clip ä.mp4")
    chunks = [body[:100_000], 0.3, body[100_000:]]

    async def both():
        watched = page.answer("/gradio_api/upload_progress?upload_id=a", method="GET")
        sent = page.answer(f"{UPLOAD}?upload_id=a", chunks)
        return await asyncio.gather(watched, sent)

    (status, told, _), _ = asyncio.run(both())
    assert status == 200
    events = [json.loads(line[6:]) for line in told.strip().split("\n\n")]
    assert events[-1]["msg"] == "done"
    first = events[0]
    assert (first["msg"], first["orig_name"]) == ("update", "clip ä.mp4")
    assert 90_000 < first["chunk_size"] <= 100_000

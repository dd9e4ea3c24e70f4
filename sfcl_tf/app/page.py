"""What the page does: its components, and what happens when they are used.

Gradio reads its settings when it is imported: import `serve` first.
"""

import contextlib
import dataclasses
import logging
import re
import threading
import time
from pathlib import Path

import gradio as gr
import numpy as np

from sfcl_tf.app import parts
from sfcl_tf.app.style import CHOOSE, FETCH
from sfcl_tf.app.visits import Visit, Visits
from sfcl_tf.detect.detector import Detector, failed
from sfcl_tf.detect.explain import explain
from sfcl_tf.detect.highlights import Highlights
from sfcl_tf.detect.report import chosen, write_report
from sfcl_tf.detect.results import Result
from sfcl_tf.faces.sampling import SamplingOptions
from sfcl_tf.system.errors import DataError, SfclError

_KEPT = 32  # moments that can be chosen
_GIVEN_UP = 5.0  # s that a file may take to be given up when the page closes
_STEP = 0.2  # s between two lines about progress
_GONE = "Nothing is kept of this file any more. Drop it again."


class _Ended(Exception):
    """Nobody waits for this file any more."""


class Page:
    """The page of a detector.

    Args:
        detector: What looks at files, one at a time.
        sampling: Which pictures and faces are taken.
        folder: Where Gradio puts uploads.
        max_bytes: Size of the largest file, which Gradio checks.

    Attributes:
        blocks: The page as Gradio has it.
        visits: What is kept of its visitors.
    """

    def __init__(
        self,
        detector: Detector,
        sampling: SamplingOptions,
        folder: Path,
        max_bytes: int,
    ):
        self._detector, self._model = detector, detector.model
        self._sampling = dataclasses.replace(sampling, previews=True)
        self.visits = Visits(folder)
        self._busy, self._asking = threading.Lock(), threading.Lock()
        with gr.Blocks(
            title="sfcl app", analytics_enabled=False, delete_cache=(60, 3600)
        ) as self.blocks:
            self._lay_out(f"Video or image, up to {max_bytes / (1 << 20):g} MB")
            self._connect()

    def close(self) -> None:
        """Gives up what is being looked at, and stops serving."""
        self.visits.end_all()
        if self._busy.acquire(timeout=_GIVEN_UP):
            self._busy.release()
        if server := getattr(self.blocks, "server", None):
            # Pages that are open would be waited for; that they were not, is logged.
            server.force_exit = True
            logging.getLogger("uvicorn.error").disabled = True
        self.blocks.close(verbose=False)

    def warm_up(self) -> None:
        """Explains a grey crop, in a thread: the first takes several times as long."""
        grey = np.full((96, 96, 3), 127, np.uint8)

        def explain_grey():
            with self._asking, contextlib.suppress(Exception):  # told when it matters
                self._model.explain(grey)

        threading.Thread(target=explain_grey, daemon=True).start()

    def _lay_out(self, label):
        gr.HTML(parts.heading(self._model), js_on_load=None)
        self._drop = gr.File(label=label, height=150, elem_id="drop")
        self._stop = gr.Button("Stop", visible=False, size="sm", elem_id="stop")
        self._verdict = gr.HTML(js_on_load=None, elem_id="verdict")
        self._report = gr.Button(
            "Download the report", visible=False, size="sm", elem_id="report"
        )
        self._moments = gr.HTML(js_on_load=CHOOSE, elem_id="moments")
        self._moment = gr.HTML(js_on_load=None, elem_id="moment")
        self._file = gr.DownloadButton(visible="hidden", elem_id="report-file")

    def _connect(self):
        shown = [self._drop, self._stop, self._verdict, self._moments, self._moment]
        shown += [self._report, self._file]
        own = {"api_visibility": "private"}
        now = {**own, "queue": False, "show_progress": "hidden"}
        explaining = {**own, "concurrency_id": "explain", "concurrency_limit": 1}
        # Not preprocessed: Gradio would leave an empty file for each upload.
        self._drop.upload(
            self._take,
            self._drop,
            shown,
            preprocess=False,
            trigger_mode="multiple",
            **now,
        ).then(
            self._look,
            None,
            shown,
            show_progress_on=self._verdict,
            trigger_mode="multiple",
            **own,
        ).then(self._highest, None, self._moment, **explaining)
        self._moments.select(
            self._choose, None, self._moment, trigger_mode="always_last", **explaining
        )
        self._report.click(
            self._write, None, self._file, show_progress_on=self._report, **explaining
        ).success(None, None, None, js=FETCH)
        self._stop.click(self._end, None, [self._stop, self._verdict], **now)
        self.blocks.unload(self._leave)

    def _take(self, given: dict, request: gr.Request):
        """Takes an upload over, so that it is deleted whatever comes."""
        name = Path(given.get("orig_name") or given["path"]).name[:200]
        try:
            visit = self.visits.begin(request.session_hash, Path(given["path"]), name)
        except FileNotFoundError:
            message = parts.stopped(name, "It did not arrive. Drop it again.")
            return {self._drop: None, self._verdict: message}
        return {
            self._drop: None,
            self._stop: gr.Button(visible=True),
            self._verdict: parts.waiting(visit.name),
            self._moments: "",
            self._moment: "",
            self._report: gr.Button(visible=False),
            self._file: None,
        }

    def _look(self, request: gr.Request, progress=gr.Progress()):  # noqa: B008
        visit = self.visits.of(request.session_hash)
        if visit is None or not visit.upload.exists():
            return gr.skip()
        result = self._examine(visit, progress)
        if visit.ended:
            return gr.skip()
        visit.result = result
        return {
            self._stop: gr.Button(visible=False),
            self._verdict: parts.verdict(result),
            self._moments: parts.moments(result, visit.kept, _highest(visit)),
            self._moment: parts.waiting("The highest score") if visit.kept else "",
            self._report: gr.Button(visible=bool(result.verdict)),
        }

    def _examine(self, visit: Visit, progress) -> Result:
        """Looks at a file; what cannot be read has a result that says so."""
        watch = _Watch(visit, progress)
        try:
            with self._busy:
                result = self._detector.examine(
                    visit.upload,
                    self._sampling,
                    on_sample=watch.sample,
                    on_face=watch.face,
                )
        except _Ended:
            return failed(visit.upload, DataError("stopped"), self._model.name)
        except Exception as error:  # one file must not stop the others
            result = failed(visit.upload, error, self._model.name)
            if isinstance(error, SfclError):
                result = dataclasses.replace(result, reason=str(error))
        finally:
            visit.upload.unlink(missing_ok=True)
        if not visit.ended:
            visit.kept = watch.highlights.all()
        reason = result.reason.replace(str(visit.upload), visit.name)
        return dataclasses.replace(result, source=visit.name, reason=reason)

    def _highest(self, request: gr.Request):
        visit = self.visits.of(request.session_hash)
        if visit is None or not visit.kept:
            return gr.skip()
        return self._explain(visit, _highest(visit))

    def _choose(self, event: gr.EventData, request: gr.Request):
        visit = self.visits.of(request.session_hash)
        number = event._data.get("index")
        if visit is None or number not in range(len(visit.kept)):
            return parts.stopped(visit.name if visit else "", _GONE)
        return self._explain(visit, number)

    def _explain(self, visit, number):
        highlight = visit.kept[number]
        try:
            with self._asking:
                explanation = explain(self._model, highlight.face)
        except SfclError as error:
            return parts.stopped(visit.name, str(error))
        return parts.moment(highlight, explanation, self._model)

    def _write(self, request: gr.Request):
        visit = self.visits.of(request.session_hash)
        if visit is None or visit.result is None:
            raise gr.Error(_GONE, print_exception=False)
        stem = re.sub(r"[^\w-]+", "_", Path(visit.name).stem)[:80]
        path = visit.folder / f"{stem}_report.html"
        with self._asking:
            write_report(path, visit.result, visit.kept, self._model)
        if visit.ended:
            visit.end()
        return str(path)

    def _end(self, request: gr.Request):
        self.visits.end(request.session_hash)
        return {
            self._stop: gr.Button(visible=False),
            self._verdict: parts.stopped("", "Stopped. The file is deleted."),
        }

    def _leave(self, request: gr.Request):
        self.visits.end(request.session_hash)


class _Watch:
    """Tells how far a look is, and gives it up when nobody waits for it."""

    def __init__(self, visit, progress):
        self.highlights = Highlights(_KEPT)
        self._visit, self._progress = visit, progress
        self._faces, self._top, self._reported = 0, 0.0, 0.0
        self._pictures = 0
        progress(0, desc="Opening the file")

    def sample(self, sample, frames):
        if self._visit.ended:
            raise _Ended
        self._pictures += 1
        if time.monotonic() - self._reported < _STEP:
            return
        self._reported = time.monotonic()
        text = f"{self._pictures} pictures looked at"
        if self._faces:
            text += f", {self._faces} faces scored, the highest {self._top:.2f}"
        done = min(sample.index / frames, 1.0) if frames else 0.0
        self._progress(done, desc=text)

    def face(self, sample, face, moment):
        self._faces += 1
        self._top = max(self._top, moment.score)
        self.highlights(sample, face, moment)


def _highest(visit):
    """Returns the place of the moment that is explained first, as in the report."""
    if not visit.kept:
        return 0
    first = chosen(visit.kept, 1)[0]
    return next(n for n, each in enumerate(visit.kept) if each is first)

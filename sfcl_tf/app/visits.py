"""What the page keeps of a visitor, in memory and in a folder that goes with them."""

import contextlib
import secrets
import shutil
import threading
import time
from pathlib import Path

from sfcl_tf.catalog.listing import IMAGE_SUFFIXES, VIDEO_SUFFIXES
from sfcl_tf.detect.highlights import Highlight
from sfcl_tf.detect.results import Result

# The kept faces of one are some 10 to 30 MB, of a film in 4K more.
_MOST = 16
# Seconds without a byte after which a file that nobody owns is given up. An upload
# that pauses for half a minute is refused.
_STALE = 120.0


class Visit:
    """One look at one file.

    Attributes:
        folder: Holds its files.
        upload: The file, until it was looked at.
        name: What the visitor calls it.
        ended: Whether nobody waits for it any more.
        result: What was found.
        kept: The moments that can be looked at.
    """

    def __init__(self, folder: Path, upload: Path, name: str):
        self.folder, self.upload, self.name = folder, upload, name
        self.ended = False
        self.result: Result | None = None
        self.kept: list[Highlight] = []

    def end(self) -> None:
        """Forgets everything and deletes the files."""
        self.ended = True
        self.result, self.kept = None, []
        shutil.rmtree(self.folder, ignore_errors=True)


class Visits:
    """The latest look of each page that is open.

    Gradio keeps a `gr.State` for an hour after its page was closed, and its files
    longer; these go with the page.

    Args:
        root: Gradio's folder for uploads.

    Attributes:
        folder: Holds the files of all visits.
    """

    def __init__(self, root: Path):
        self._root = root
        self.folder = root / "visits"
        self.folder.mkdir(mode=0o700)
        self._open: dict[str, Visit] = {}
        self._lock = threading.Lock()

    def begin(self, session: str, upload: Path, name: str) -> Visit:
        """Takes over an upload; what the page showed before is forgotten.

        Args:
            session: Gradio's name of the page.
            upload: A file below the root.
            name: What the visitor calls it.

        Raises:
            FileNotFoundError: If it is no such file.
        """
        upload = upload.resolve()
        inside = upload.is_relative_to(self._root.resolve())
        if (
            not inside
            or self.folder.resolve() in upload.parents
            or not upload.is_file()
        ):
            raise FileNotFoundError(upload)
        folder = self.folder / secrets.token_urlsafe(16)
        folder.mkdir(mode=0o700)
        # By an ending such as .txt, FFmpeg takes a text for a film of its letters.
        suffix = upload.suffix.lower()
        suffix = suffix if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES else ""
        visit = Visit(folder, folder / f"upload{suffix}", name)
        try:
            upload.replace(visit.upload)
        except FileNotFoundError:  # it was taken over just now
            folder.rmdir()
            raise
        with contextlib.suppress(OSError):
            upload.parent.rmdir()
        with self._lock:
            before = self._open.pop(session, None)
            self._open[session] = visit
            # The oldest page has to drop its file again.
            over = list(self._open)[:-_MOST]
            ended = [before, *(self._open.pop(name) for name in over)]
        for each in filter(None, ended):
            each.end()
        self.sweep()
        return visit

    def of(self, session: str) -> Visit | None:
        """Returns the look of a page, if there is one."""
        with self._lock:
            return self._open.get(session)

    def end(self, session: str) -> None:
        """Forgets a page."""
        with self._lock:
            visit = self._open.pop(session, None)
        if visit:
            visit.end()
        self.sweep()

    def end_all(self) -> None:
        """Forgets every page."""
        with self._lock:
            visits = list(self._open.values())
            self._open.clear()
        for visit in visits:
            visit.end()

    def sweep(self) -> None:
        """Deletes uploads that broke off, and the folders of those that were taken."""
        for path in self._root.iterdir():
            if path == self.folder:
                continue
            try:
                if not path.is_dir():
                    _drop_stale(path)
                    continue
                files = list(path.iterdir())
                for file in files:
                    _drop_stale(file)
                if files or _is_stale(path):  # else it may have been made just now
                    path.rmdir()
            except OSError:  # an upload is on its way there, or it is gone already
                continue


def _drop_stale(file):
    if _is_stale(file):
        file.unlink(missing_ok=True)


def _is_stale(path):
    return time.time() - path.stat().st_mtime > _STALE

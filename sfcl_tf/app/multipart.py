"""A form with one file, read as it comes."""

from pathlib import PurePosixPath

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from sfcl_tf.app.bodies import RefusedError
from sfcl_tf.catalog.listing import IMAGE_SUFFIXES, VIDEO_SUFFIXES

_MAX_HEADERS = 8 << 10  # bytes


class OneFile:
    """The file of a form.

    Args:
        content_type: Of the request.
        max_bytes: Size of the largest file.

    Attributes:
        name: The file's, as soon as it is known.

    Raises:
        RefusedError: If it is no form that can hold a file.
    """

    def __init__(self, content_type: str, max_bytes: int):
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise _refused(f"the content type {content_type[:100]!a}")
        self.name = ""
        self._max_bytes, self._size = max_bytes, 0
        self._files, self._ended, self._is_file = 0, False, False
        self._headers, self._header_size = [b"", b""], 0
        self._disposition = b""
        self._pieces: list[bytes] = []
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_field": lambda *data: self._add_header(0, *data),
                    "on_header_value": lambda *data: self._add_header(1, *data),
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._add_data,
                    "on_end": self._end,
                },
            )
        except FormParserError as error:
            raise _refused(f"a boundary of {len(boundary)} bytes") from error

    @property
    def suffix(self) -> str:
        """The name's ending, if it is that of a video or an image."""
        suffix = PurePosixPath(self.name).suffix.lower()
        return suffix if suffix in IMAGE_SUFFIXES | VIDEO_SUFFIXES else ""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Returns what of a chunk of the body belongs to the file.

        Args:
            chunk: The next of the body.

        Raises:
            RefusedError: If it is no form, or holds another file, or too large a one.
        """
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _refused("something else") from error
        return self._pieces

    def end(self) -> None:
        """Ends the form.

        Raises:
            RefusedError: If it holds no whole file.
        """
        if not self._ended or not self._files:
            raise _refused("a form without one, or a part of a form")

    def _begin_part(self):
        self._is_file, self._header_size, self._disposition = False, 0, b""

    def _add_header(self, which, data, start, end):
        self._header_size += end - start
        if self._header_size > _MAX_HEADERS:
            raise _refused(f"more than {_MAX_HEADERS} bytes of headers")
        self._headers[which] += data[start:end]

    def _end_header(self):
        field, value = self._headers
        if field.lower() == b"content-disposition":
            self._disposition = value
        self._headers = [b"", b""]

    def _end_headers(self):
        _, options = parse_options_header(self._disposition)
        if b"filename" not in options:
            return
        self._files += 1
        if self._files > 1:
            raise _refused("another one", 413)
        self._is_file = True
        self.name = options[b"filename"].decode("utf-8", "replace")

    def _add_data(self, data, start, end):
        if not self._is_file:
            return
        self._size += end - start
        if self._size > self._max_bytes:
            raise RefusedError(
                413,
                f"Expected a file of at most {self._max_bytes} bytes. Received: more. "
                "Send a smaller one, or start the page with a larger --max-size.\n",
            )
        self._pieces.append(data[start:end])

    def _end(self):
        self._ended = True


def _refused(received, status=400):
    return RefusedError(
        status,
        "Expected a form (multipart/form-data) with one file. Received: "
        f"{received}. Send each file in a request of its own.\n",
    )

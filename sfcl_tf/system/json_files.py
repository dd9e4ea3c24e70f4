"""JSON files of ours, which may be damaged or made up: read by a schema each."""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sfcl_tf.system.errors import DataError, SfclError
from sfcl_tf.system.plain_text import in_a_line, printable

_SHOWN = 120


@dataclasses.dataclass(frozen=True, eq=False)
class JsonFile:
    """How a kind of file is read.

    Attributes:
        what: It is, such as "the figures of a run".
        schema: JSON Schema, draft 2020-12, without references.
        hint: What to do about a damaged one, in a sentence.
        error: What is raised for it.
        finite: Whether NaN and infinities are damage.
    """

    what: str
    schema: Mapping[str, Any]
    hint: str
    error: type[SfclError] = DataError
    finite: bool = True

    def is_at(self, path: Path) -> bool:
        """Tells whether there is one.

        Raises:
            SfclError: Of the kind `error`, if something else has its name.
        """
        if path.is_file():
            return True
        if not path.exists() and not path.is_symlink():
            return False
        raise self.error(
            f"Expected {self.what} in the file {path}. Received: something else of "
            f"that name. {self.hint}"
        )

    def read(self, path) -> Any:
        """Returns a file's content.

        Raises:
            SfclError: Of the kind `error`, if it is damaged, or is not of the schema.
            OSError: If it cannot be read.
        """
        return self.parse(path.read_bytes(), path)

    def read_lines(self, path: Path) -> list[Any]:
        """Returns the content of a file of one value a line, blank ones left out."""
        lines = path.read_bytes().splitlines()
        return [self.parse(line, path, n) for n, line in enumerate(lines, 1) if line]

    def parse(self, content: bytes | str, path, line: int = 0) -> Any:
        """Returns what a content says; see `read`.

        Args:
            content: JSON.
            path: Where it came from.
            line: The line's number there; 0 for the whole file.
        """
        try:
            constant = _refuse if self.finite else None
            values = json.loads(content, parse_constant=constant)
            problem = self._problem(values)
        except (ValueError, RecursionError) as error:
            problem = in_a_line(error, _SHOWN)
        if problem:
            where = f"{path}, line {line}" if line else f"{path}"
            raise self.error(
                f"Expected {self.what} as this software writes them in {where}. "
                f"Received: {problem}. {self.hint}"
            )
        return values

    def _problem(self, values) -> str:
        from jsonschema.exceptions import best_match

        error = best_match(self._validator.iter_errors(values))
        if error is None:
            return ""
        message = error.message
        if len(message) > _SHOWN:  # it quotes the value
            message = f"... {message[-_SHOWN:]}"
        return printable(f"{error.json_path}: {message}")

    @functools.cached_property
    def _validator(self):
        from jsonschema import Draft202012Validator

        return Draft202012Validator(self.schema)


def _refuse(constant):
    raise ValueError(f"{constant}, which is no number")

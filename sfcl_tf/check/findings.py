"""Findings: what is wrong with a collection, and what to do about it."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
SEVERITIES: tuple[Severity, ...] = ("error", "warning", "info")
"""Worst first."""

SCHEMA = 1


@dataclasses.dataclass(frozen=True)
class Finding:
    """One thing that is to be told of a collection.

    Attributes:
        code: What kind of finding it is, such as `missing_files`; never changes.
        severity: `error`, `warning` or `info`; see `sfcl_tf.check`.
        message: One sentence.
        next_step: What to do about it; empty where nothing is to be done.
        details: Every file or group that it is about.
        figures: The numbers of the message, for programs; JSON values only.
    """

    code: str
    severity: Severity
    message: str
    next_step: str = ""
    details: tuple[str, ...] = ()
    figures: Mapping[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Report:
    """All findings of a collection, worst first.

    Attributes:
        card: The card's name.
        title: The card's title.
        root: The collection; `None` where there are records alone.
        records: The folder of its records; `None` where it is not prepared.
        videos: How many videos and images it holds.
        read: Whether the files were read, not only listed.
        findings: Worst first; in the order of the rules where equally bad.
    """

    card: str
    title: str
    root: Path | None
    records: Path | None
    videos: int
    read: bool
    findings: tuple[Finding, ...]

    def __post_init__(self):
        ordered = sorted(self.findings, key=lambda f: SEVERITIES.index(f.severity))
        object.__setattr__(self, "findings", tuple(ordered))

    @property
    def counts(self) -> dict[str, int]:
        """Number of findings by severity."""
        severities = [finding.severity for finding in self.findings]
        return {severity: severities.count(severity) for severity in SEVERITIES}

    @property
    def sound(self) -> bool:
        """Whether there is no error."""
        return not self.counts["error"]

    def to_dict(self) -> dict[str, Any]:
        """Returns JSON values; `sfcl_tf.check` tells their form."""
        values = dataclasses.asdict(self)
        for name in ("root", "records"):
            values[name] = values[name] and str(values[name])
        for finding in values["findings"]:
            finding["details"] = list(finding["details"])
        values["findings"] = list(values["findings"])
        return {"schema": SCHEMA, "sound": self.sound, "counts": self.counts, **values}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Report":
        """Returns the report that `to_dict` was called on.

        Raises:
            ValueError: If it is of another schema.
        """
        if values.get("schema") != SCHEMA:
            raise ValueError(
                f"Expected a report of schema {SCHEMA}. Received: "
                f"{values.get('schema')!r}."
            )
        fields = {field.name: values[field.name] for field in dataclasses.fields(cls)}
        for name in ("root", "records"):
            fields[name] = fields[name] and Path(fields[name])
        fields["findings"] = tuple(
            Finding(**{**finding, "details": tuple(finding["details"])})
            for finding in fields["findings"]
        )
        return cls(**fields)


def number(count: int, one: str, many: str = "") -> str:
    """Returns a count with its noun.

    Example:
        >>> number(1, "video"), number(1200, "video"), number(2, "identity", "people")
        ('1 video', '1,200 videos', '2 people')
    """
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def share(count: int, total: int, one: str) -> str:
    """Returns a part of a number of things.

    Example:
        >>> share(1, 1200, "video"), share(1, 1, "file")
        ('1 of 1,200 videos', '1 of 1 file')
    """
    return f"{count:,} of {number(total, one)}"

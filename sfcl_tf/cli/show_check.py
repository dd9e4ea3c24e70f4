"""What `sfcl check` prints: findings, worst first, and a verdict."""

import textwrap

from rich.text import Text

from sfcl_tf.check.findings import number
from sfcl_tf.cli.console import console, say

_DETAILS_SHOWN = 10
_STYLES = {"error": "bold red", "warning": "bold yellow", "info": "bold cyan"}
_INDENT = " " * 9
_WIDEST = 100


def report(result) -> None:
    """Prints a `sfcl_tf.check.findings.Report`."""
    say(result.title)
    if result.root:
        say(f"  {number(result.videos, 'video or image', 'videos and images')}")
        say(f"  in {result.root}")
    if result.records:
        say(f"  records in {result.records}")
    if result.root and not result.read:
        say("  --quick: no file was opened")
    for finding in result.findings:
        say("")
        show_finding(finding)
    say("")
    _verdict(result)


def show_finding(finding) -> None:
    """Prints one finding; its details are never broken, so that they can be copied."""
    head, *rest = _wrapped(finding.message)
    style = "" if finding.severity == "info" else "bold"
    tag = f"{finding.severity.upper():<{len(_INDENT)}}"
    text = Text.assemble((tag, _STYLES[finding.severity]), (head, style))
    for line in rest:
        text.append(f"\n{_INDENT}{line}", style)
    console.print(text, soft_wrap=True)
    for detail in finding.details[:_DETAILS_SHOWN]:
        say(f"{_INDENT}- {detail}")
    more = len(finding.details) - _DETAILS_SHOWN
    if more > 0:
        say(f"{_INDENT}  and {more:,} more: --json FILE has them all")
    if finding.next_step:
        first, *rest = _wrapped(finding.next_step, 3)
        say(f"{_INDENT}-> {first}")
        for line in rest:
            say(f"{_INDENT}   {line}")


def _verdict(result) -> None:
    counts = result.counts
    text = ", ".join(
        number(counts[kind], kind) for kind in ("error", "warning") if counts[kind]
    )
    if counts["error"]:
        line, style = f"Not fit for use as it is: {text}.", "bold red"
    elif counts["warning"]:
        line, style = f"Fit for use, with care: {text}.", "bold yellow"
    else:
        line, style = "Nothing wrong was found.", "bold green"
    console.print(Text(line, style=style), soft_wrap=True)


def _wrapped(text: str, more: int = 0) -> list[str]:
    """Breaks a sentence into lines that fit beside the indentation, and `more`."""
    width = min(console.width, _WIDEST) - len(_INDENT) - more
    lines = textwrap.wrap(
        text, max(width, 20), break_long_words=False, break_on_hyphens=False
    )
    return lines or [""]

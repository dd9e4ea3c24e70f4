import csv
import io

import pytest

from sfcl_tf.cli import main
from sfcl_tf.cli.console import SafeConsole, table
from sfcl_tf.system.plain_text import cells, printable, printable_lines, text_of

ESCAPES = "\x1b]0;owned\x07\x1b[31m\x9b2J\u202egpj"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("名前 é (1).mp4", "名前 é (1).mp4"),
        ("a\x1b[31m.mp4", r"a\x1b[31m.mp4"),
        ("a\nb", r"a\nb"),
        ("a\x9bb", r"a\x9bb"),
        ("a\u202eb", r"a\u202eb"),
        ("a\udcffb", r"a\udcffb"),
    ],
)
def test_odd_characters_are_escaped(text, shown):
    assert printable(text) == shown
    assert printable_lines(f"x\n{text}") == "x\n" + "\n".join(
        map(printable, text.split("\n"))
    )


def test_nothing_that_is_shown_commands_the_terminal():
    out = io.StringIO()
    console = SafeConsole(file=out, force_terminal=True, color_system=None, width=200)
    console.print(ESCAPES, style="bold")
    shown = table("Files", "file", "count")
    shown.add_row(ESCAPES, "1")
    console.print(shown)
    text = out.getvalue()
    assert text.count(r"\x1b]0;owned") == 2
    for character in ("\x9b", "\x07", "\u202e", "\x1b]", "\x1b[31m"):
        assert character not in text


@pytest.mark.parametrize("command", ["check", "prepare"])
def test_file_names_of_a_collection_are_escaped(command, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for label in ("real", "fake"):
        folder = tmp_path / "clips" / label
        folder.mkdir(parents=True)
        (folder / "a\x1b[31mred\x07.mp4").write_bytes(b"no video")
        (folder / "stray\x1b[2J.xyz").touch()
    assert main([command, "./clips"]) == 3
    captured = capsys.readouterr()
    assert "\x1b" not in captured.out + captured.err
    assert r"\x1b[31mred" in captured.out + captured.err


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+a", "-a", "@a", "\ta", "\ra", "'=a", "''=a", "a=1", "'a", "", "é"],
)
def test_no_cell_is_a_formula_and_each_can_be_read_again(text):
    file = io.StringIO()
    csv.writer(file, quoting=csv.QUOTE_NONNUMERIC).writerow(cells([text, -1.5]))
    (row,) = csv.reader(io.StringIO(file.getvalue(), newline=""))
    assert not row[0].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert text_of(row[0]) == text
    assert float(row[1]) == -1.5

"""The rooms of the package stand as CONTRIBUTING.md tells."""

import ast
import collections
import graphlib
import re
import statistics
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "sfcl_tf"


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in (ROOT / PACKAGE).rglob("*.py")}


def imported(tree: ast.AST) -> set[str]:
    """Returns which of our modules a program imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in FILES else node.module for name in inner]
        else:
            continue
        found |= {name for name in names if name.split(".")[0] == PACKAGE}
    return found


IMPORTS = {
    name: imported(ast.parse(path.read_text("utf-8"))) for name, path in FILES.items()
}


def room(name: str) -> str:
    """Returns the room of a module; the package's own front door has none."""
    return name.split(".")[1] if "." in name else ""


@pytest.fixture(scope="module")
def rooms():
    """The rooms of the table in CONTRIBUTING.md, in its order."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    table = text.split("## Rules between the rooms")[1].split("\n## ")[0]
    return re.findall(r"^\| `(\w+)` \|", table, flags=re.MULTILINE)


def test_the_table_names_every_room(rooms):
    assert len(rooms) == len(set(rooms))
    assert set(rooms) == {room(name) for name in FILES if room(name)}


def test_no_import_goes_to_a_room_further_down(rooms):
    wrong = [
        f"{name} -> {other}"
        for name, others in IMPORTS.items()
        for other in others
        if room(name)
        and room(other)
        and rooms.index(room(other)) > rooms.index(room(name))
    ]
    assert not wrong


def test_the_front_door_is_used_by_the_command_line_alone():
    # Others import the module that has what they need; the version is a constant.
    names = collections.Counter()
    for name, path in FILES.items():
        if room(name) in ("", "cli"):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
                names.update(a.name for a in node.names if a.name != "__version__")
    assert set(names) <= {room(name) for name in FILES}  # `from sfcl_tf import ops`


def test_no_module_leads_back_to_itself():
    inner = {
        name: {other for other in others if room(other)} - {name}
        for name, others in IMPORTS.items()
        if room(name)
    }
    graphlib.TopologicalSorter(inner).prepare()


def test_a_circle_and_a_way_down_would_be_found(rooms):
    program = "def f():\n    from sfcl_tf.cli import main\n    import sfcl_tf.runs.run"
    assert {room(name) for name in imported(ast.parse(program))} == {"cli", "runs"}
    assert rooms.index("cli") > rooms.index("runs") > rooms.index("system")
    with pytest.raises(graphlib.CycleError):
        graphlib.TopologicalSorter({"a": {"b"}, "b": {"a"}}).prepare()


def test_rooms_and_modules_stay_small():
    lines = {
        name: len(path.read_text("utf-8").splitlines()) for name, path in FILES.items()
    }
    assert statistics.median(lines.values()) <= 130
    by_room = collections.Counter()
    for name, count in lines.items():
        by_room[room(name)] += count
    largest, count = by_room.most_common(1)[0]
    assert count <= 0.15 * sum(lines.values()), largest

"""What the command line says and which exit code it gives."""

import re
import subprocess
import sys

import pytest

from sfcl_tf.catalog.cards import card_names, load_card
from sfcl_tf.cli import COMMANDS, doctor, main
from sfcl_tf.cli import prepare as prepare_command


def run(*argv):
    """Runs a Python of its own."""
    argv = [sys.executable, *argv]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_help_imports_neither_tensorflow_nor_keras():
    code = (
        "import sys\n"
        "from sfcl_tf.cli import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "finally:\n"
        "    heavy = {'tensorflow', 'keras', 'cv2', 'dlib', 'av'} & set(sys.modules)\n"
        "    assert not heavy, heavy\n"
    )
    done = run("-c", code)
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^ +{command} +\w", done.stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("code", "argv"),
    [
        (2, "prepare nothing"),
        (3, "prepare ff_c23"),
        (3, "train --preset tiny --dataset ff_c23"),
    ],
)
def test_mistake_is_told_in_one_line_before_tensorflow_is_imported(code, argv):
    program = (
        "import sys\n"
        "from sfcl_tf.cli import main\n"
        "code = main(sys.argv[1:])\n"
        "assert 'tensorflow' not in sys.modules\n"
        "sys.exit(code)\n"
    )
    done = run("-c", program, *argv.split())
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith("sfcl: Expected")
    assert done.stderr.count("\n") == 1


def test_module_is_the_command():
    assert run("-m", "sfcl_tf.cli", "prepare", "nothing").returncode == 2


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_tells_how_to_use_it(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    examples = re.findall(rf"^ *sfcl {command}", capsys.readouterr().out, re.MULTILINE)
    assert examples


@pytest.mark.parametrize("argv", [[], ["nothing"], ["train", "--nothing"]])
def test_wrong_arguments_are_usage_errors(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        main(argv)
    assert caught.value.code == 2
    assert "usage: sfcl" in capsys.readouterr().err


def test_version_is_the_packages(capsys):
    from sfcl_tf import __version__

    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out.strip() == __version__


def test_success_is_zero(monkeypatch):
    monkeypatch.setattr(prepare_command, "run", lambda args: None)
    assert main(["prepare", "demo"]) == 0


def test_internal_error_is_1_and_told_as_a_bug(fails, monkeypatch):
    monkeypatch.setattr(prepare_command, "run", lambda args: 1 / 0)
    message = fails(1, "prepare", "demo")
    assert "internal error: ZeroDivisionError: division by zero" in message
    assert "--debug" in message


def test_interruption_is_130(fails, monkeypatch):
    def interrupt(args):
        raise KeyboardInterrupt

    monkeypatch.setattr(prepare_command, "run", interrupt)
    assert "interrupted" in fails(130, "prepare", "demo")


def test_doctor_finds_what_is_needed_and_misses_what_is_not_there(capsys, monkeypatch):
    assert main(["doctor"]) == 0
    assert "All that is needed is there" in capsys.readouterr().out
    monkeypatch.setattr(doctor, "_PACKAGES", ("not-installed-anywhere",))
    assert main(["doctor"]) == 1
    assert "Missing: not-installed-anywhere" in capsys.readouterr().out


def test_every_data_set_is_listed_with_where_it_comes_from(capsys):
    assert main(["datasets"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    for name in card_names():
        card = load_card(name)
        assert f"{name} {card.title}" in shown
        assert card.licence in shown
    assert "Celeb-DF-v2/{Celeb-real,YouTube-real,Celeb-synthesis}/*.mp4" in shown

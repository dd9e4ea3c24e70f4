"""What some systems lack is used in one module, which does without it."""

import ast
import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sfcl_tf.system import portable

ROOT = Path(__file__).parents[2]
MODULES = {*("fcntl", "grp", "pty", "pwd", "resource", "syslog", "termios", "tty")}
NAMES = {
    "os": {
        *("fork", "forkpty", "killpg", "setsid", "setpgid", "getpgid", "getsid"),
        *("getuid", "geteuid", "getgid", "setuid", "chown", "fchmod", "mkfifo"),
        *("nice", "uname", "getloadavg", "statvfs", "wait", "waitid", "WNOHANG"),
        *("register_at_fork", "openpty", "O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY"),
    },
    "signal": {
        *("SIGKILL", "SIGALRM", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD"),
        *("SIGPIPE", "SIGXFSZ", "alarm", "setitimer", "pause", "siginterrupt"),
        *("pthread_sigmask", "pthread_kill", "sigwait", "sigpending"),
    },
    "loop": {"add_signal_handler", "remove_signal_handler"},
    "asyncio": {"open_unix_connection", "start_unix_server"},
    "time": {"tzset"},
}
OURS = [ROOT / "train.py", ROOT / "setup.py"]
for folder in ("sfcl_tf", "benchmarks", "export"):
    OURS += sorted((ROOT / folder).rglob("*.py"))


def lacking(source):
    """Yields what a source imports or names that some systems lack."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import():
                yield from {n.name.partition(".")[0] for n in node.names} & MODULES
            case ast.ImportFrom(module=str(module), level=0):
                yield from {module.partition(".")[0]} & MODULES
                yield from {n.name for n in node.names} & NAMES.get(module, set())
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                yield from {attribute} & NAMES.get(name, set())


def test_one_module_alone_names_what_some_systems_lack():
    found = {path for path in OURS if list(lacking(path.read_text("utf-8")))}
    assert found == {Path(portable.__file__)}


def test_that_is_seen_in_each_form():
    source = """
import fcntl, os
def later():
    import resource as used
    from pwd import getpwnam
    from os import fork
    os.killpg(signal.SIGKILL)
from signal import alarm
loop.add_signal_handler(signal.SIGTERM, os.kill)
"""
    found = {"fcntl", "resource", "pwd", "fork", "killpg", "SIGKILL", "alarm"}
    assert set(lacking(source)) == found | {"add_signal_handler"}


# Windows, as far as it can be played elsewhere.
WITHOUT = """
import functools, math, signal, sys, tempfile, warnings
from pathlib import Path

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("pthread_sigmask", "SIGALRM", "SIGHUP", "SIGUSR1"):
    delattr(signal, name)
"""
LOCKS = """
from sfcl_tf.system import portable
from sfcl_tf.system.processes import Outcome, run_in_processes
from sfcl_tf.detect.results import Result
from sfcl_tf.detect.store import Store
from sfcl_tf.system.errors import UsageError

warnings.simplefilter("ignore")  # filelock tells that it has a lesser kind of lock
folder = Path(tempfile.mkdtemp())
for _ in range(2):
    with Store(folder, {}) as store:
        store.add(folder / "a.mp4", Result(str(folder / "a.mp4"), "ok"))
        try:
            Store(folder, {})
        except UsageError as error:
            assert "another --out" in str(error)
        else:
            raise AssertionError("two in one folder")
assert len(store.results()) == 1
assert math.isnan(portable.peak_memory())
jobs = [functools.partial(int, "5")]
ended = run_in_processes(jobs, 1, 60, functools.partial(int, "0"))
assert list(ended) == [Outcome(0, 5)]
"""
IMPORTS = """
import sfcl_tf, sfcl_tf.records.prepare, sfcl_tf.detect.detector, sfcl_tf.cli.detect
import sfcl_tf.evaluation.predictor, sfcl_tf.cli.evaluate, sfcl_tf.training.interrupt
for name in sfcl_tf.__all__:
    getattr(sfcl_tf, name)
"""


@pytest.mark.parametrize("program", [LOCKS, IMPORTS])
def test_all_goes_on_without_what_some_systems_lack(program, tmp_path):
    subprocess.run(
        [sys.executable, "-c", WITHOUT + program],
        check=True,
        timeout=300,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )


def test_a_lock_is_held_by_one_at_a_time(tmp_path):
    path = tmp_path / "lock"
    with portable.locked(path), pytest.raises(portable.InUseError, match="lock"):
        portable.locked(path).__enter__()
    with portable.locked(path):
        pass
    with pytest.raises(OSError, match="lock"), portable.locked(path / "below"):
        pass


def test_a_lock_ends_with_its_process(tmp_path):
    program = (
        "import sys; from pathlib import Path; from sfcl_tf.system import portable\n"
        "with portable.locked(Path(sys.argv[1])):\n"
        "    print('held', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "lock")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout.readline().strip() == b"held"
        with pytest.raises(portable.InUseError):
            portable.locked(tmp_path / "lock").__enter__()
        holder.kill()
        holder.wait()
    with portable.locked(tmp_path / "lock"):
        pass


@pytest.mark.parametrize("able", [True, False])
def test_a_loop_is_told_of_a_signal(monkeypatch, able):
    async def told():
        loop, come = asyncio.get_running_loop(), asyncio.Event()
        if not able:
            monkeypatch.setattr(loop, "add_signal_handler", unable)
        portable.on_signal(loop, signal.SIGTERM, come.set)
        signal.raise_signal(signal.SIGTERM)
        await asyncio.wait_for(come.wait(), 10)

    def unable(*_):
        raise NotImplementedError

    before = signal.getsignal(signal.SIGTERM)
    try:
        asyncio.run(told())
    finally:
        signal.signal(signal.SIGTERM, before)


def test_memory_is_told_in_mebibytes():
    assert 5 < portable.peak_memory() < 100_000
    assert portable.peak_memory(children=True) >= 0


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="holds no signals")
def test_interrupts_are_held_while_a_process_starts():
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with portable.block_interrupts():
        assert signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before

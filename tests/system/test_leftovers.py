import os
import subprocess
import sys
import time

from sfcl_tf.system.leftovers import sweep_autograph

NAMES = ("__autograph_generated_file1.py", "__autograph_generated_file2.py", "other.py")


def make(folder, names, age):
    for name in names:
        (folder / name).write_text("pass")
        then = time.time() - age
        os.utime(folder / name, (then, then))


def test_files_of_processes_that_were_killed_are_removed(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    make(tmp_path, NAMES, 25 * 3600)
    make(tmp_path, NAMES[:1], 3600)
    (tmp_path / "__autograph_generated_file3.py").mkdir()
    (tmp_path / "__autograph_generated_file4.py").symlink_to(tmp_path / "other.py")
    assert sweep_autograph() == 1
    assert (tmp_path / "other.py").exists()
    assert (tmp_path / NAMES[0]).exists()
    assert not (tmp_path / NAMES[1]).exists()


def test_whoever_loads_tensorflow_sweeps(tmp_path):
    make(tmp_path, NAMES, 25 * 3600)
    code = "from sfcl_tf.system.quiet import import_tensorflow; import_tensorflow()"
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=env, check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["other.py"]

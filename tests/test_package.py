import subprocess
import sys
from pathlib import Path

import pytest

import sfcl_tf
from sfcl_tf.system import resources

ROOT = Path(__file__).parents[1]


def test_public_names_resolve_lazily():
    program = (
        "import sys, sfcl_tf; assert not {'keras', 'tensorflow'} & set(sys.modules);"
        "sfcl_tf.load_config; assert 'keras' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)
    assert set(sfcl_tf.__all__) <= set(dir(sfcl_tf))
    for name in sfcl_tf.__all__:
        assert getattr(sfcl_tf, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sfcl_tf.nothing


def test_layers_and_ops_name_no_tensorflow():
    for folder in ("ops", "layers", "models"):
        for path in (ROOT / "sfcl_tf" / folder).glob("*.py"):
            assert "tensorflow" not in path.read_text("utf-8").replace(
                "storage.googleapis.com/tensorflow", ""
            ), path


def test_resources_are_found():
    assert (resources.path("datasets") / "ff_c23.toml").is_file()
    assert (resources.path("export") / "README.md").is_file()
    with pytest.raises(ValueError, match="Expected a kind"):
        resources.path("models")


def set_up(*command):
    subprocess.run(
        [sys.executable, "setup.py", "-q", *map(str, command)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=120,
    )


def test_a_built_package_carries_the_mapped_folders(tmp_path):
    set_up("build_py", "-d", tmp_path)
    assert (tmp_path / "sfcl_tf/datasets/splits/faceforensics/train.json").is_file()
    assert (tmp_path / "sfcl_tf/export/README.md").is_file()
    assert not (tmp_path / "datasets").exists()


def test_wheel_and_source_archive_carry_the_templates(tmp_path):
    templates = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "sfcl_tf/templates").rglob("*.j2")
    }
    assert "sfcl_tf/templates/evaluation/report.html.j2" in templates
    set_up("build_py", "-d", tmp_path)
    assert all((tmp_path / path).is_file() for path in templates)
    set_up("egg_info", "-e", tmp_path)
    listed = (tmp_path / "sfcl_tf.egg-info/SOURCES.txt").read_text("utf-8")
    assert templates <= set(listed.splitlines())

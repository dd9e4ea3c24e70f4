"""What a program gives wrongly is told before anything is made of it."""

import dataclasses
import subprocess
import sys

import pytest

import sfcl_tf
from sfcl_tf.config import load_config

CONFIG = load_config(preset="tiny", overrides=["data.dataset=demo"])


def changed(section, **values):
    part = dataclasses.replace(getattr(CONFIG, section), **values)
    return dataclasses.replace(CONFIG, **{section: part})


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """An empty working folder, in which nothing may be made."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sfcl_tf.train("demo"), "a Config, as sfcl_tf.configure makes"),
        (lambda: sfcl_tf.train(changed("train", epochs=-3)), "train.epochs in 1"),
        (
            lambda: sfcl_tf.train(changed("train", batch_size=0)),
            "train.batch_size in 1",
        ),
        (lambda: sfcl_tf.prepare(changed("data", frames=0)), "data.frames in 1"),
        (lambda: sfcl_tf.prepare(CONFIG, splits="train"), r"write \['train'\]"),
        (lambda: sfcl_tf.prepare(CONFIG, splits=["tset"]), "split of train, val, test"),
        (lambda: sfcl_tf.evaluate("run", split="tset"), "split of train, val, test"),
        (lambda: sfcl_tf.compare("a", "b", split="tset"), "split of train, val, test"),
        (lambda: sfcl_tf.evaluate("run", faces="x"), "faces of largest, all, full"),
        (lambda: sfcl_tf.evaluate("run", methods="Swap"), r"write \['Swap'\]"),
        (lambda: sfcl_tf.evaluate("run", degrade="jpeg=50"), r"write \['jpeg=50'\]"),
        (lambda: sfcl_tf.evaluate(None), "the path of a run. Received: None"),
        (lambda: sfcl_tf.Run(None), "the path of a run. Received: None"),
        (lambda: sfcl_tf.Sources(roots="/data"), r"write \['/data'\]"),
        (lambda: sfcl_tf.Sources(engine="spark"), "engine of local, ray"),
        (lambda: sfcl_tf.Sources(workers=1.5), "--workers of at least 1"),
        (lambda: sfcl_tf.Sources(records=None), "a folder for records"),
        (
            lambda: sfcl_tf.configure("demo", overrides={"train.epochs": 3}),
            "overrides as a list",
        ),
    ],
)
def test_a_wrong_argument_is_told_at_once(call, message):
    with pytest.raises(sfcl_tf.UsageError, match=message):
        call()


def test_a_preset_among_the_overrides_is_the_one_that_is_applied():
    config = load_config(preset="tiny", overrides=["model.preset=paper"])
    assert config == load_config(preset="paper")


SCRIPT = """
import sfcl_tf
config = sfcl_tf.configure("demo", preset="tiny", overrides=["data.frames=2"])
sfcl_tf.prepare(config, limit=1, sources=sfcl_tf.Sources(workers=2))
"""


@pytest.mark.slow
def test_a_script_without_a_main_guard_is_told_once(tmp_path_factory):
    pytest.importorskip("skimage")
    folder = tmp_path_factory.mktemp("script")
    (folder / "script.py").write_text(SCRIPT)
    ended = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") <= 2  # of the error, and of what caused it
    assert 'under `if __name__ == "__main__":`' in ended.stderr

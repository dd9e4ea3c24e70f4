"""What can be wrong before a training begins or goes on."""

import json

import pytest

from sfcl_tf.cli import main
from sfcl_tf.config import load_config, to_toml
from sfcl_tf.system import portable

TINY = ("train", "--dataset", "demo", "--preset", "tiny")
TWO_WORKERS = {
    "cluster": {"worker": ["127.0.0.1:1", "127.0.0.1:2"]},
    "task": {"type": "worker", "index": 0},
}


@pytest.fixture
def run_dir(place):
    folder = place / "runs/mine"
    folder.mkdir(parents=True)
    config = load_config(preset="tiny", overrides=["data.dataset=demo"])
    (folder / "config.toml").write_text(to_toml(config))
    return folder


def test_a_run_that_is_not_there(fails):
    assert "absent" in fails(4, "train", "--resume", "absent")


def test_resume_takes_no_settings_of_its_own(fails, run_dir):
    message = fails(2, "train", "--resume", run_dir, "--name", "a", "--frames", 2)
    assert "without --name and --frames" in message
    assert "--config" in message


def test_a_run_of_another_version(fails, run_dir):
    (run_dir / "env.json").write_text('{"run_format": 99, "sfcl_tf": "9.0"}')
    for command in (("train", "--resume"), ("evaluate",), ("export",)):
        message = fails(4, *command, run_dir)
        assert "format 99" in message
        assert "sfcl_tf 9.0" in message


def test_a_run_is_trained_by_one_process_alone(fails, run_dir):
    for _ in range(2):
        with portable.locked(run_dir / ".lock"):
            message = fails(2, "train", "--resume", run_dir)
        assert f"train {run_dir} alone" in message
        assert "another process is training it. Wait for it, or end it" in message
    assert {path.name for path in run_dir.iterdir()} == {"config.toml", ".lock"}


def test_a_search_is_led_by_one_process_alone(fails, place):
    folder = place / "runs/search"
    folder.mkdir(parents=True)
    with portable.locked(folder / ".lock"):
        message = fails(
            2, "tune", *TINY[1:], "--trials", 1, "--name", "search", "--runs", "runs"
        )
    assert "search in runs/search alone" in message
    assert "another process is searching there" in message


def test_a_finished_run_has_nothing_left_to_do(run_dir, capsys):
    (run_dir / "results.json").write_text(json.dumps({"summary": {}, "export": {}}))
    assert main(["train", "--resume", str(run_dir)]) == 0
    assert "is finished" in capsys.readouterr().out


def finish(run_dir, **more):
    done = {"summary": {}, "export": {}, **more}
    (run_dir / "results.json").write_text(json.dumps(done))


def test_a_finished_run_takes_no_settings(fails, run_dir):
    finish(run_dir)
    message = fails(2, "train", "--resume", run_dir, "--set", "train.epochs=30")
    assert "which is finished, with --set train.epochs=30" in message
    assert "Train it longer with --epochs above 20" in message
    assert f"--config {run_dir}/config.toml" in message


@pytest.mark.parametrize("epochs", [1, 20])
def test_epochs_are_those_beyond_what_there_was(fails, run_dir, epochs):
    finish(run_dir)
    message = fails(2, "train", "--resume", run_dir, "--epochs", epochs)
    assert f"--epochs above the 20 that {run_dir} has. Received: {epochs}." in message


def trained(monkeypatch, *argv):
    """Runs a command up to where it trains, and returns with which settings."""
    begun = []
    monkeypatch.setattr(
        "sfcl_tf.workflow.train._train", lambda c, *_, **__: begun.append(c)
    )
    assert main([str(arg) for arg in argv]) == 0
    return begun


def test_more_epochs_train_a_finished_run_on(run_dir, monkeypatch, capsys):
    finish(run_dir)
    resume = "train", "--resume", run_dir
    (config,) = trained(monkeypatch, *resume, "--epochs", 30)
    assert config.train.epochs == 30
    assert "The cosine schedule is that of 30 epochs now" in capsys.readouterr().out
    # Ended before it was evaluated anew: the results are those of before.
    (run_dir / "config.toml").write_text(to_toml(config))
    finish(run_dir, trained_epochs=20)
    assert trained(monkeypatch, *resume) == [config]
    finish(run_dir, trained_epochs=30)
    assert trained(monkeypatch, *resume) == []


@pytest.mark.parametrize("devices", ["gpu", "gpu:2"])
def test_a_gpu_where_there_is_none(fails, devices):
    message = fails(2, *TINY, "--devices", devices)
    assert "Received: 0" in message
    assert "sfcl doctor" in message


def test_devices_that_mean_nothing(fails):
    for devices in ("0", "tpu", "gpu:", "-1", "cpu:x"):
        assert "--devices such as" in fails(2, *TINY, f"--devices={devices}")


def test_workers_that_are_not_named_as_tensorflow_wants(fails, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", "{}")
    assert "TF_CONFIG" in fails(2, *TINY)


def test_workers_need_one_name(fails, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(TWO_WORKERS))
    assert "--name" in fails(2, *TINY)


def test_a_worker_that_cannot_be_reached(fails, monkeypatch, free_port):
    config = json.loads(json.dumps(TWO_WORKERS))
    config["cluster"]["worker"][0] = f"127.0.0.1:{free_port}"
    monkeypatch.setenv("TF_CONFIG", json.dumps(config))
    message = fails(2, *TINY, "--name", "both", "--cluster-timeout", 0.5)
    assert "worker 1 of TF_CONFIG at 127.0.0.1:2" in message
    assert "--cluster-timeout" in message

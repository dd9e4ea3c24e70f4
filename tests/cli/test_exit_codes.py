"""Every error a user can make: its exit code, and one message that helps."""

import pytest

from sfcl_tf.cli import main

TINY = ("train", "--dataset", "demo", "--preset", "tiny")


def test_unknown_card(fails):
    for argv in (("prepare", "ff_c22"), ("train", "--dataset", "ff_c22")):
        message = fails(2, *argv)
        assert "ff_c22" in message
        assert "demo, dfdc, dfdcp, ff_c23, ff_c40" in message


def test_no_data_set(fails):
    assert "--dataset" in fails(2, "train")


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("train.epoch=3", "Did you mean train.epochs"),
        ("model.sidda=true", "model.sida"),
        ("epochs=3", "train.epochs"),
        ("train.epochs=many", "an integer"),
        ("train.epochs=1.5", "an integer"),
        ("model.sida=1", "true or false"),
        ("model.sbcm_reading=both", "'strided' or 'bands'"),
        ("train.epochs=0", "in 1.."),
        ("train.epochs", "--set section.key=value"),
    ],
)
def test_wrong_setting(fails, setting, told):
    message = fails(2, *TINY, "--set", setting)
    assert told in message
    assert setting.split("=")[0] in message


@pytest.mark.parametrize(
    "argv", [("--preset", "huge"), ("--frames", 0), ("--epochs", 0), ("--workers", 0)]
)
def test_option_out_of_range(fails, argv):
    message = fails(2, *TINY, *argv)
    assert str(argv[1]) in message


def test_frames_to_evaluate_out_of_range(fails):
    assert "--frames" in fails(2, "evaluate", "run", "--frames", "0")


def test_configuration_file_that_is_none(fails, place):
    assert "absent.toml" in fails(2, *TINY, "--config", "absent.toml")
    (place / "broken.toml").write_text("[train\n")
    assert "broken.toml" in fails(2, *TINY, "--config", "broken.toml")
    (place / "typo.toml").write_text("[train]\nepoch = 3\n")
    assert "train.epochs" in fails(2, *TINY, "--config", "typo.toml")


@pytest.mark.parametrize(
    "command", [("prepare",), ("train", "--preset=tiny", "--dataset")]
)
def test_missing_root_names_the_data_set_its_form_and_the_option(fails, command):
    message = fails(3, *command, "ff_c23")
    for told in ("FaceForensics++", "https://github.com", "--data-root", "SFCL_DATA"):
        assert told in message
    assert "elsewhere" in fails(3, *command, "ff_c23", "--data-root", "elsewhere")


def test_root_of_the_environment_is_used(fails, place, monkeypatch):
    monkeypatch.setenv("SFCL_DATA", str(place / "of_the_environment"))
    assert "of_the_environment" in fails(3, "prepare", "ff_c23")


def test_debug_shows_the_traceback_and_keeps_the_exit_code(capsys):
    assert main(["prepare", "ff_c22", "--debug"]) == 2
    message = capsys.readouterr().err
    assert message.startswith("Traceback")
    assert "\nsfcl: Expected a data set of" in message


def test_empty_split(fails, place, capsys):
    (place / "data/original_sequences/youtube/c23/videos").mkdir(parents=True)
    message = fails(3, "prepare", "ff_c23", "--data-root", "data")
    assert "c23/videos/071.mp4" in message
    (place / "data/original_sequences/youtube/c23/videos/071.mp4").touch()
    argv = ["prepare", "ff_c23", "--data-root", "data", "--split", "val"]
    assert main(argv) == 3
    message = capsys.readouterr().err
    assert "`val`" in message
    assert "c23/videos/720.mp4" in message


def test_runs_folder_that_cannot_be_written(fails, place):
    (place / "file").touch()
    for runs in ("file", "file/runs"):
        message = fails(2, *TINY, "--runs", runs)
        assert "--runs" in message
        assert str(runs) in message


def test_run_that_exists(fails, place):
    (place / "runs/mine").mkdir(parents=True)
    message = fails(2, *TINY, "--name", "mine")
    assert "mine" in message
    assert "--name" in message
    assert list((place / "runs/mine").iterdir()) == []


def test_weights_that_are_not_there(fails, tmp_path, monkeypatch):
    monkeypatch.setenv("SFCL_WEIGHTS", str(tmp_path / "weights"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    message = fails(4, "train", "--dataset", "demo", "--runs", tmp_path / "runs")
    for told in (
        "efficientnetb4_notop.h5",
        "ebc24e6d6c33eaebbd558eafbeedf1ba",
        str(tmp_path / "weights"),
        str(tmp_path / "keras"),
        "--download",
        "--spatial-weights none",
    ):
        assert told in message
    assert list((tmp_path / "runs").iterdir()) == []


def test_weights_that_are_others(fails, place, tmp_path, monkeypatch):
    monkeypatch.setenv("SFCL_WEIGHTS", str(tmp_path))
    (tmp_path / "efficientnetb4_notop.h5").write_bytes(b"others")
    assert "to have md5" in fails(4, "train", "--dataset", "demo")
    assert "own.h5" in fails(4, *TINY, "--spatial-weights", "own.h5")


@pytest.mark.parametrize("command", ["evaluate", "export"])
def test_folder_that_is_no_run(fails, place, command):
    (place / "empty").mkdir()
    for folder in ("empty", "absent"):
        message = fails(4, command, folder)
        assert folder in message
        assert "sfcl train" in message


def test_run_without_a_model(fails, place):
    (place / "begun").mkdir()
    (place / "begun/config.toml").write_text('[data]\ndataset = "demo"\n')
    assert "begun" in fails(4, "evaluate", "begun")

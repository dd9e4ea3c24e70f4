"""`sfcl export`: formats, precisions, kit, and what is refused."""

import json

import pytest
from helpers import needs
from small_data import small_config, small_manifest

from sfcl_tf.cli import main
from sfcl_tf.config import to_toml
from sfcl_tf.evaluation import Calibration, Predictor, roc_auc
from sfcl_tf.evaluation.thresholds import Thresholds
from sfcl_tf.inputs.pipeline import InputPipeline

pytestmark = [
    # tf2onnx's, which reads protobufs and NumPy types as older ones had them.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture
def finished(small, tmp_path, monkeypatch):
    """The folder of a run, of which there are no records."""
    monkeypatch.setenv("SFCL_RECORDS", str(tmp_path / "records"))
    run = tmp_path / "runs" / "mine"
    run.mkdir(parents=True)
    (run / "config.toml").write_text(to_toml(small_config()))
    small[0].save(run / "model.keras")
    return run


@pytest.fixture
def prepared(finished, tmp_path):
    """The folder of a run whose records are at hand."""
    from sfcl_tf.catalog.cards import load_card
    from sfcl_tf.records.manifest import Settings, records_folder, write_manifest

    config = small_config()
    folder = records_folder(
        load_card(config.data.dataset), Settings.of(config.data), tmp_path / "records"
    )
    manifest = small_manifest(folder)
    for split in ("train", "val", "test"):
        write_manifest(manifest, split, [])
    return finished


def export(*arguments):
    return main(["export", *map(str, arguments)])


def test_an_engine_is_compared_and_told(prepared, capsys):
    needs("openvino")
    assert export(prepared, "--format", "openvino") == 0
    printed = capsys.readouterr().out
    folder = prepared / "engines/openvino-float32"
    assert f"Engine {folder}, which differs from Keras" in printed
    assert "in the logit on 16 test crops." in printed
    record = json.loads((folder / "engine.json").read_text())
    assert record["crops_compared"] == 16
    assert record["max_abs_difference"] <= 1e-5


def test_the_change_in_auc_is_told(prepared, small, capsys, tmp_path):
    needs("onnxruntime")
    to = tmp_path / "elsewhere"
    assert export(prepared, "--format", "onnx", "--precision", "int8", "--to", to) == 0
    printed = capsys.readouterr().out
    assert f"Engine {to}, which differs" in printed
    assert "AUC on 16 crops of the validation split: " in printed
    record = json.loads((to / "engine.json").read_text())
    assert record["calibration_crops"] == 16
    pipeline = InputPipeline(small_manifest(tmp_path / "again"), small_config())
    labels, logits = Predictor(small[0]).logits(pipeline.evaluation("val"))
    assert record["validation"]["auc_keras"] == roc_auc(labels, logits)


def test_without_records_an_engine_is_not_compared(finished, capsys):
    needs("onnxruntime")
    assert export(finished, "--format", "onnx") == 0
    assert "Not compared with Keras: no records" in capsys.readouterr().out
    assert export(finished, "--format", "onnx", "--precision", "int8") == 3
    assert "int8 is calibrated. Received: none in" in capsys.readouterr().err


def test_kit_and_model_lie_where_the_kit_looks(finished, capsys, tmp_path):
    calibration = Calibration(0.75, 0.25, (Thresholds(0.4, 0.6),), True)
    calibration.write(finished)
    kit = tmp_path / "deploy"
    assert export(finished, "--kit", kit, "--version", 3) == 0
    printed = capsys.readouterr().out
    assert "Begin with" in printed
    assert "Not compared with Keras" in printed
    assert (kit / "docker-compose.yml").is_file()
    folder = kit / "models" / "sfcl" / "3"
    assert (folder / "saved_model.pb").is_file()
    assert Calibration.read(folder / "assets.extra") == calibration
    # Again: the kit's files are as they would be written, the model is replaced.
    assert export(finished, "--kit", kit, "--version", 3) == 0
    assert "Version 3 is there and is replaced." in capsys.readouterr().out
    assert (folder / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "Expected a run's directory"),
        (("RUN", "--format", "onnx", "--precision", "bf16"), "compute in bfloat16"),
        (("RUN", "--format", "onnx", "--to", "MINE"), "holds something else"),
        (("RUN", "--precision", "bf16"), "--precision with --format"),
        (("RUN", "--kit", "MINE", "--to", "x"), "--kit or --to"),
        (("RUN", "--kit", "MINE"), "to be empty, or to hold a kit"),
        (("RUN", "--format", "onnx", "--kit", "x"), "with a SavedModel"),
        (("RUN", "--version", "0"), "--version of 1 to"),
        (("RUN", "--version", str(10**20)), "--version of 1 to"),
    ],
)
def test_what_cannot_be_is_a_usage_error(finished, tmp_path, capsys, options, told):
    needs("onnxruntime")
    mine = tmp_path / "letters"
    mine.mkdir()
    (mine / "letter.txt").touch()
    places = {"RUN": finished, "MINE": mine}
    assert export(*(places.get(option, option) for option in options)) == 2
    assert told in capsys.readouterr().err
    assert [file.name for file in mine.iterdir()] == ["letter.txt"]

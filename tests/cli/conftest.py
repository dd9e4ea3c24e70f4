"""The command line, run in this process and in an empty folder."""

import json
import shutil
import socket

import keras
import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.catalog.cards import load_card
from sfcl_tf.catalog.listing import SPLITS
from sfcl_tf.cli import main
from sfcl_tf.config import to_toml
from sfcl_tf.records.manifest import Settings, records_folder, write_manifest
from sfcl_tf.training import fill_standardize
from sfcl_tf.training.trainer import save_model


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    """An empty folder to work in, and no variable that points elsewhere."""
    for name in ("SFCL_DATA", "SFCL_RECORDS", "SFCL_RUNS", "SFCL_WEIGHTS", "TF_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    folder = tmp_path / "place"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def fails(capsys, place):
    """A function that expects an exit code and one message, and returns it."""

    def run(code, *argv):
        before = set(place.rglob("*"))
        assert main([str(arg) for arg in argv]) == code
        out, message = capsys.readouterr()
        assert out == ""
        assert message.startswith("sfcl: ")
        assert message.count("sfcl: ") == 1
        assert "Traceback" not in message
        left = set(place.rglob("*")) - before
        assert left <= {place / "runs"}  # empty, therefore
        return message

    return run


@pytest.fixture
def free_port():
    """A port of this machine at which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


SEED = 7
"""Of weights that happen to find fakes, so that they can be calibrated."""


def make_records(place, name, seed):
    """Writes records of two methods, as `sfcl prepare` leaves them."""
    folder = records_folder(load_card(name), Settings(4), place / "records")
    methods = ("Deepfakes", "FaceSwap")
    manifest = small_manifest(folder, card=name, seed=seed, methods=methods)
    for split in SPLITS:
        write_manifest(manifest, split, [])
    return manifest


@pytest.fixture
def records(place):
    """Records of two data sets."""
    names = ("ff_c23", "ff_c40")
    return {name: make_records(place, name, seed) for seed, name in enumerate(names)}


def write_run(place, manifest, name, *overrides):
    """Leaves the directory of a run that was trained on a manifest's records."""
    folder = place / "runs" / name
    folder.mkdir(parents=True)
    config = small_config("data.dataset=ff_c23", *overrides)
    (folder / "config.toml").write_text(to_toml(config))
    values = {
        "run_format": 1,
        "dataset": "ff_c23",
        "fingerprint": manifest.fingerprint,
        "records": {s: manifest.digest(s) for s in ("train", "val")},
    }
    (folder / "env.json").write_text(json.dumps(values))
    keras.utils.set_random_seed(SEED + config.train.seed)
    model = small_model(config)
    from sfcl_tf.inputs.pipeline import InputPipeline

    batches = InputPipeline(manifest, config).evaluation("train")
    fill_standardize(model, batches.map(lambda inputs, *_: inputs))
    save_model(model, folder / "model.keras")
    return folder


@pytest.fixture
def make_run(place, records):
    """A function that leaves the directory of a run that was trained on ff_c23."""

    def make(name, *overrides):
        return write_run(place, records["ff_c23"], name, *overrides)

    return make


@pytest.fixture(scope="session")
def finished_once(tmp_path_factory):
    """What `finished` is a copy of: drawing it takes seconds."""
    from sfcl_tf.config import read_config
    from sfcl_tf.evaluation import Predictor, evaluate, write_report
    from sfcl_tf.evaluation.calibrate import calibrate
    from sfcl_tf.inputs.pipeline import InputPipeline
    from sfcl_tf.models import load_model

    place = tmp_path_factory.mktemp("finished")
    manifest = make_records(place, "ff_c23", 0)
    run = write_run(place, manifest, "finished")
    predictor = Predictor(load_model(run))
    pipeline = InputPipeline(manifest, read_config(run / "config.toml"))
    predictions, _ = evaluate(predictor, pipeline, run, split="val")
    calibrate(predictions).write(run)
    _, results = evaluate(predictor, pipeline, run, split="test")
    facts = {
        "selected_epoch": 3,
        "selection": "highest frame AUC on the validation split",
        "export": {"path": "savedmodel/1", "max_abs_difference": 1e-6, "frames": 16},
    }
    (run / "results.json").write_text(json.dumps(results | facts))
    write_report(run)
    return run


@pytest.fixture
def finished(place, records, finished_once):
    """A run as `sfcl train` ends one: scored, calibrated, with what it found out."""
    run = place / "runs" / finished_once.name
    shutil.copytree(finished_once, run)
    return run

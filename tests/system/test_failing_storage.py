"""Each saver, while each of its operations fails in turn: what was there is whole."""

import keras
import numpy as np
import pytest
from faults import each_fault, most_bytes
from helpers import needs, small_model
from small_data import small_config

from sfcl_tf.detect.results import Result
from sfcl_tf.detect.store import Store
from sfcl_tf.evaluation import Calibration
from sfcl_tf.evaluation.plots import save
from sfcl_tf.evaluation.predictions import ALL_COLUMNS, Predictions
from sfcl_tf.records.record import write_shard
from sfcl_tf.serving.kit import KitSettings, write_kit
from sfcl_tf.system.errors import SfclError
from sfcl_tf.training.checkpoint import Progress, TrainingState
from sfcl_tf.training.fit import FitModel
from sfcl_tf.training.optimizer import make_optimizer
from sfcl_tf.training.trainer import save_model


def predictions(mark):
    columns = {name: [kind(mark)] for name, kind in ALL_COLUMNS.items()}
    return Predictions(**columns | {"label": [1]})


def figure(mark):
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(1, 1))
    drawn.subplots().plot([0, mark])
    return drawn


def shard(path):
    import tensorflow as tf

    return [int(each.numpy()) for each in tf.data.TFRecordDataset(str(path))]


# How to save a mark, and to read it back from a folder.
SAVERS = {
    "predictions": (
        lambda folder, mark: predictions(mark).write_csv(folder / "p.csv"),
        lambda folder: Predictions.read_csv(folder / "p.csv").logit[0],
    ),
    "calibration": (
        lambda folder, mark: Calibration(1 / mark).write(folder),
        lambda folder: 1 / Calibration.read(folder).slope,
    ),
    "records": (
        lambda folder, mark: write_shard(folder / "shard", [b"%d" % mark] * 3),
        lambda folder: np.mean(shard(folder / "shard")),
    ),
    "plots": (
        lambda folder, mark: save(figure(mark), folder / "plot"),
        None,
    ),
}


@pytest.mark.parametrize("name", SAVERS)
def test_a_file_is_the_one_before_or_the_new_one(tmp_path, name):
    write, read = SAVERS[name]
    failures = 0
    for fault in each_fault(tmp_path):
        write(tmp_path, 1)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        with fault:
            write(tmp_path, 2)
        failures += fault.happened
        assert isinstance(fault.error, SfclError) == fault.happened, fault.error
        after = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
        assert after.keys() == before.keys()
        if read:
            assert read(tmp_path) in (1, 2)
        if fault.failed[0] != "flush" and name != "plots":  # two files, one by one
            assert (after == before) == fault.happened
    assert failures >= 3


@pytest.fixture(scope="module")
def compiled():
    config = small_config()
    bare = small_model(config)
    model = FitModel(bare.input, bare.output)
    model.compile(make_optimizer(config.train, 4), "binary_crossentropy")
    model.prepare()
    return config, model


def fill(model, value):
    for variable in model.variables:
        variable.assign(np.full(variable.shape, value, variable.dtype))


def restored(config, model, folder):
    """The step of the state in a folder, and the value of its weights."""
    fill(model, -1)
    progress = TrainingState(model, folder, config).restore()
    values = {float(np.min(each)) for each in model.variables}
    assert len(values) == 1  # of one state, not of two
    return progress.step, values.pop()


def test_a_training_goes_on_from_a_whole_state(compiled, tmp_path):
    config, model = compiled
    state = TrainingState(model, tmp_path, config)
    failures = 0
    for fault in each_fault(tmp_path):
        step = 10 * fault.number
        fill(model, 1)
        state.save(Progress(step))
        fill(model, 2)
        with fault:
            state.save(Progress(step + 1))
        failures += fault.happened
        found = restored(config, model, tmp_path)
        assert found in ((step, 1), (step + 1, 2))
        assert isinstance(fault.error, SfclError) == fault.happened, fault.error
        if not fault.happened:
            assert found == (step + 1, 2)
    assert failures >= 5  # two files' flushes among them


@pytest.mark.parametrize("most", [0, 100, 5000])
def test_what_is_written_in_native_code_may_fail_too(compiled, tmp_path, most):
    config, model = compiled
    state = TrainingState(model, tmp_path / "checkpoints", config)
    path = tmp_path / "model.keras"
    fill(model, 1)
    state.save(Progress(1))
    save_model(model, path)
    write_shard(tmp_path / "shard", [b"1" * 100] * 100)
    fill(model, 2)
    for attempt in (
        lambda: state.save(Progress(2)),
        lambda: save_model(model, path),
        lambda: write_shard(tmp_path / "shard", [b"2" * 100] * 100),
    ):
        with most_bytes(most), pytest.raises(SfclError, match="Expected to write"):
            attempt()
    assert restored(config, model, tmp_path / "checkpoints") == (1, 1)
    weights = keras.saving.load_model(path, compile=False).get_weights()
    assert {float(np.min(each)) for each in weights} == {1}
    assert shard(tmp_path / "shard") == [int("1" * 100)] * 100
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"checkpoints", "model.keras", "shard"}


def test_an_export_that_fails_keeps_the_version_before(compiled, tmp_path):
    from sfcl_tf.serving import export_savedmodel

    config, _ = compiled
    path = tmp_path / "1"
    path.mkdir()
    (path / "saved_model.pb").write_text("before")
    with most_bytes(1 << 14), pytest.raises(SfclError, match="Received: File too lar"):
        export_savedmodel(small_model(config), config, path)
    assert (path / "saved_model.pb").read_text() == "before"
    assert [each.name for each in tmp_path.iterdir() if each.suffix == ".tmp"] == []


@pytest.mark.parametrize("format", ["openvino", "onnx"])
def test_an_engine_that_cannot_be_written_is_told(compiled, tmp_path, format):
    needs({"onnx": "onnxruntime"}.get(format, format))
    from sfcl_tf.engines import export_engine

    config, _ = compiled
    with most_bytes(1 << 12), pytest.raises(SfclError, match="Expected to write"):
        export_engine(small_model(config), tmp_path / "engine", format)
    assert [each.name for each in tmp_path.iterdir()] == [".engine.lock"]


def test_a_kit_that_was_cut_off_is_written_to_its_end(tmp_path):
    folder = tmp_path / "kit"
    write_kit(folder, KitSettings())
    whole = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    for number, path in enumerate(whole):
        path.unlink()
        for fault in each_fault(folder):
            with fault:
                write_kit(folder, KitSettings())
            if fault.happened and fault.failed[0] != "mkdir":  # which is there
                assert isinstance(fault.error, SfclError)
                path.unlink(missing_ok=True)
        assert path.read_bytes() == whole[path]
        assert len([*folder.rglob("*.tmp")]) == 0
        if number == 2:
            break


def test_results_stay_when_one_more_cannot_be_added(tmp_path):
    one, other = tmp_path / "a.mp4", tmp_path / "b.mp4"
    with Store(tmp_path, {}) as store:
        store.add(one, Result(str(one), "ok", "real", 0.25))
        size = (tmp_path / "results.jsonl").stat().st_size
        with most_bytes(size + 10), pytest.raises(SfclError, match="Expected space"):
            store.add(other, Result(str(other), "ok", "real", 0.25))
        store.add(other, Result(str(other), "ok", "fake", 0.75))
    with Store(tmp_path, {}) as store:
        assert [each.verdict for each in store.results()] == ["real", "fake"]

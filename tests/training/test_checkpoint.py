import json
import math
import os
import signal
import threading
import time

import keras
import numpy as np
import pytest
from helpers import small_model
from small_data import small_config

from sfcl_tf.config import override
from sfcl_tf.runs.format import RUN_FORMAT, require_format
from sfcl_tf.system.errors import DataError, ModelError, SfclError
from sfcl_tf.system.output import DiskFullError
from sfcl_tf.training.checkpoint import (
    BEST,
    Progress,
    TrainingState,
    candidate,
    read_progress,
    settle_best,
)
from sfcl_tf.training.environment import note_resumed, write_environment
from sfcl_tf.training.fit import FitModel
from sfcl_tf.training.interrupt import Interrupt, Stopped
from sfcl_tf.training.optimizer import make_optimizer


def prepared(*overrides):
    config = small_config(*overrides)
    bare = small_model(config)
    model = FitModel(bare.input, bare.output)
    model.compile(
        make_optimizer(config.train, 4), "binary_crossentropy", metrics=["acc"]
    )
    model.prepare()
    return config, model


@pytest.fixture
def saved(tmp_path):
    config, model = prepared()
    state = TrainingState(model, tmp_path, config)
    state.save(Progress(step=3, epoch=1, best_epoch=1, best_loss=0.5))
    return config, model, state


def test_everything_comes_back(saved, tmp_path):
    config, model, _ = saved
    _, other = prepared()
    progress = TrainingState(other, tmp_path, config).restore()
    assert (progress.step, progress.epoch, progress.best_epoch) == (3, 1, 1)
    assert math.isnan(progress.best_auc)
    for ours, theirs in (
        (model.variables, other.variables),
        (model.optimizer.variables, other.optimizer.variables),
        (model.metrics_variables, other.metrics_variables),
    ):
        for one, two in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, two)


def test_only_the_last_state_is_kept(saved, tmp_path):
    saved[2].save(Progress(step=5))
    names = {path.name.split(".")[0] for path in tmp_path.glob("step-*")}
    assert names == {"step-00000005"}
    assert read_progress(tmp_path)["step"] == 5


def test_what_a_kill_left_half_written_is_removed(saved, tmp_path):
    half = tmp_path / ".state.json.0123456789abcdef.tmp"
    half.write_text("{")
    saved[2].restore()
    assert not half.exists()
    assert read_progress(tmp_path)["step"] == 3


def test_without_a_state_there_is_nothing_to_restore(tmp_path):
    config, model = prepared()
    assert TrainingState(model, tmp_path, config).restore() is None


def test_other_settings_are_named(saved, tmp_path):
    config, model = prepared("train.learning_rate=0.5")
    with pytest.raises(ModelError, match=r"train.learning_rate was 0.001, is 0.5"):
        TrainingState(model, tmp_path, config).restore()
    config, model = prepared("evaluate.batch_size=3", "train.checkpoint_steps=7")
    assert TrainingState(model, tmp_path, config).restore().step == 3


def test_a_damaged_state_is_told(saved, tmp_path):
    config, model, state = saved
    next(tmp_path.glob("step-*.data*")).write_bytes(b"cut")
    with pytest.raises(ModelError, match="Expected a checkpoint at"):
        state.restore()
    (tmp_path / "state.json").write_text("{}")
    with pytest.raises(ModelError, match="Expected the state of a training"):
        TrainingState(model, tmp_path, config).restore()


def test_a_full_disk_leaves_the_state_before_as_it_was(saved, tmp_path):
    _, model, state = saved
    resource = pytest.importorskip("resource")
    before = [np.array(v) for v in model.variables]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(DataError, match="go on from the last checkpoint"):
            state.save(Progress(step=5))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert [p.name for p in tmp_path.glob("step-*.index")] == ["step-00000003.index"]
    for variable in model.variables:
        variable.assign(keras.ops.zeros_like(variable))
    assert state.restore().step == 3
    for value, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(value, variable)
    assert issubclass(DiskFullError, DataError)


def test_a_state_goes_on_for_more_epochs_but_not_for_fewer(saved):
    config, model, _ = saved
    folder = saved[2]._folder
    for epochs, fits in ((3, True), (2, True), (1, False)):
        changed = override(config, [("train.epochs", epochs)])
        state = TrainingState(model, folder, changed)
        if fits:
            assert state.restore().step == 3
            continue
        with pytest.raises(ModelError, match=r"train\.epochs was 2, is 1"):
            state.restore()


def test_a_state_of_an_earlier_version_has_settings_that_mean_nothing(saved):
    _, _, state = saved
    path = state._folder / "state.json"
    values = json.loads(path.read_text())
    values["config"] |= {"data.shuffle_buffer": 1024, "train.class_weight": "none"}
    path.write_text(json.dumps(values))
    assert state.restore().step == 3


def test_weights_that_are_not_finite_are_not_saved(saved):
    _, model, state = saved
    kernel = model.trainable_variables[0]
    kernel.assign(keras.ops.full_like(kernel, math.nan))
    with pytest.raises(SfclError, match="Expected finite weights"):
        state.save(Progress(step=5))


def test_the_best_weights_get_their_name_when_the_state_names_them(tmp_path):
    (tmp_path / BEST).write_text("epoch 1")
    candidate(tmp_path, 2).write_text("epoch 2")
    settle_best(tmp_path, 1)  # ended before the state named epoch 2
    assert (tmp_path / BEST).read_text() == "epoch 1"
    assert not candidate(tmp_path, 2).exists()
    candidate(tmp_path, 2).write_text("epoch 2")
    settle_best(tmp_path, 2)
    assert (tmp_path / BEST).read_text() == "epoch 2"


def test_a_signal_asks_to_stop_and_a_second_one_stops():
    asked = []
    with Interrupt(lambda: asked.append(1)) as interrupt:
        interrupt.check()
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.01)
        assert asked == [1]
        with pytest.raises(Stopped):
            next(interrupt.watch([1]))
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_outside_of_the_main_thread_signals_are_left_alone():
    def work():
        with Interrupt() as interrupt:
            interrupt.check()

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


class FakeManifest:
    card, fingerprint, folder, errors = "demo", "abc", "records", ()

    def __init__(self, digest):
        self._digest = digest

    def digest(self, split):
        return f"{self._digest}-{split}"


def test_data_that_changed_since_is_told(tmp_path):
    import tensorflow as tf

    strategy, path = tf.distribute.get_strategy(), tmp_path / "env.json"
    write_environment(path, FakeManifest("one"), small_config(), strategy)
    note_resumed(path, FakeManifest("one"), strategy, 7)
    values = json.loads(path.read_text())
    assert [entry["step"] for entry in values["resumed"]] == [7]
    require_format(tmp_path)
    with pytest.raises(DataError, match="splits train and val changed since"):
        note_resumed(path, FakeManifest("two"), strategy, 8)
    path.write_text(json.dumps(values | {"run_format": RUN_FORMAT + 1}))
    with pytest.raises(ModelError, match="Expected a run of format"):
        require_format(tmp_path)

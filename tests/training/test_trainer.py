import dataclasses
import json
import math
import signal

import keras
import numpy as np
import pytest
from helpers import small_model
from small_data import small_config, small_manifest

from sfcl_tf.cli import main
from sfcl_tf.config import to_toml
from sfcl_tf.evaluation import Predictor, evaluate, roc_auc
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import load_model
from sfcl_tf.system.errors import SfclError, UsageError
from sfcl_tf.training import make_strategy, train
from sfcl_tf.training.checkpoint import read_progress


@pytest.fixture(scope="module")
def manifest(tmp_path_factory):
    return small_manifest(tmp_path_factory.mktemp("records") / "small")


def run(manifest, folder, *overrides, build=small_model, **hooks):
    config = small_config(*overrides)
    pipeline = InputPipeline(manifest, config)
    folder.mkdir(exist_ok=True)
    return pipeline, train(config, pipeline, folder, build=build, **hooks)


def test_a_run_leaves_what_the_contract_names(manifest, tmp_path):
    seen = []
    pipeline, training = run(
        manifest, tmp_path, on_epoch=seen.append, on_batch=lambda *_: None
    )
    rows = [
        json.loads(x) for x in (tmp_path / "metrics.jsonl").read_text().splitlines()
    ]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert seen == training.history
    assert {"loss", "auc", "val_auc", "val_loss", "learning_rate"} <= set(rows[0])
    assert (tmp_path / "checkpoints/best.weights.h5").is_file()
    assert any((tmp_path / "tb").rglob("events*"))
    best = max(rows, key=lambda row: (row["val_auc"], -row["val_loss"]))
    assert training.selected_epoch == best["epoch"]
    assert training.val_auc == best["val_auc"]

    predictions, results = evaluate(training.predictor, pipeline, tmp_path)
    assert len(predictions) == 16
    assert json.loads((tmp_path / "results.json").read_text()) == results
    assert (tmp_path / "plots/overview.png").is_file()
    again = Predictor(load_model(tmp_path)).logits(pipeline.evaluation("test"))[1]
    np.testing.assert_allclose(again, predictions.logit, atol=1e-5)


def test_training_learns(manifest, tmp_path):
    pipeline, training = run(
        manifest, tmp_path, "train.epochs=6", "train.learning_rate=0.01"
    )
    label, logit = training.predictor.logits(pipeline.evaluation("test"))
    assert roc_auc(label, logit) > 0.9


def test_the_test_split_is_not_read(manifest, tmp_path, monkeypatch):
    asked = []
    original = InputPipeline.evaluation

    def spy(self, split):
        asked.append(split)
        return original(self, split)

    monkeypatch.setattr(InputPipeline, "evaluation", spy)
    run(manifest, tmp_path, "train.epochs=1")
    assert "val" in asked
    assert "test" not in asked


def test_the_best_epoch_is_kept_when_later_ones_are_worse(manifest, tmp_path):
    _, training = run(manifest, tmp_path, "train.epochs=4", "train.learning_rate=0.01")
    model = small_model(small_config())
    model.load_weights(tmp_path / "checkpoints/best.weights.h5")
    for mine, saved in zip(model.weights, load_model(tmp_path).weights, strict=True):
        np.testing.assert_array_equal(mine, saved)
    scores = [(row["val_auc"], -row["val_loss"]) for row in training.history]
    assert scores.index(max(scores)) + 1 == training.selected_epoch


def test_same_seed_same_weights(manifest, tmp_path):
    one, two = (
        run(manifest, tmp_path / name, "train.epochs=1")[1].model for name in "ab"
    )
    for first, second in zip(one.weights, two.weights, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-6)


def test_moving_average_is_what_is_selected(manifest, tmp_path):
    _, training = run(manifest, tmp_path, "train.ema=0.9")
    saved = load_model(tmp_path)
    for mine, other in zip(training.model.weights, saved.weights, strict=True):
        np.testing.assert_array_equal(mine, other)


def test_a_loss_that_is_not_finite_names_its_examples(manifest, tmp_path):
    """A stand-in for broken data: the third batch's loss is NaN, and no other."""

    def breaking(config):
        model = small_model(config)
        return keras.Model(model.input, NanAt(2)(model.output))

    with pytest.raises(SfclError, match="Expected a finite loss") as caught:
        run(manifest, tmp_path, "train.checkpoint_steps=1", build=breaking)
    pipeline = InputPipeline(manifest, small_config())
    ids = pipeline.batch_ids(2)
    assert len(ids) == 8
    for name in ids:
        assert name in str(caught.value)
    assert "in step 3" in str(caught.value)
    assert read_progress(tmp_path / "checkpoints")["step"] == 2
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(row)["epoch"] for row in rows] == [1]


def test_a_finished_run_trains_on_for_more_epochs(manifest, tmp_path):
    first = run(manifest, tmp_path)[1]
    longer = run(manifest, tmp_path, "train.epochs=4")[1]
    assert [row["epoch"] for row in longer.history] == [1, 2, 3, 4]
    assert longer.history[:2] == first.history
    assert read_progress(tmp_path / "checkpoints")["step"] == 8


@pytest.mark.parametrize("ema", [0, 0.9])
def test_weights_that_break_in_an_epochs_last_step_are_told(manifest, tmp_path, ema):
    """The loss is that of the weights before the step, and finite."""
    overrides = f"train.ema={ema}", "train.checkpoint_steps=1"

    def break_weights(epoch, batch, logs):
        if (epoch, batch) == (2, 2):  # the last
            kernel = breaking.model.trainable_variables[0]
            kernel.assign(keras.ops.full_like(kernel, math.nan))

    def breaking(config):
        breaking.model = small_model(config)
        return breaking.model

    with pytest.raises(SfclError, match="Expected finite weights") as caught:
        run(manifest, tmp_path, *overrides, build=breaking, on_batch=break_weights)
    assert "sfcl train --config" in str(caught.value)
    # Nothing of it was kept.
    done = read_progress(tmp_path / "checkpoints")
    assert (done["step"], done["epoch"]) == (3, 1)
    assert not (tmp_path / "model.keras").exists()
    again = run(manifest, tmp_path, *overrides)[1]
    assert [row["epoch"] for row in again.history] == [1, 2]


def test_what_is_advised_after_nan_can_be_done(manifest, tmp_path, monkeypatch):
    def breaking(config):
        model = small_model(config)
        return keras.Model(model.input, NanAt(0)(model.output))

    with pytest.raises(SfclError) as caught:
        run(manifest, tmp_path, build=breaking)
    (tmp_path / "config.toml").write_text(to_toml(small_config()), "utf-8")
    command = str(caught.value).partition("sfcl train ")[2].split()
    began = []
    monkeypatch.setattr(
        "sfcl_tf.workflow.train._train", lambda c, *_, **__: began.append(c)
    )
    assert main(["train", *command, "--runs", str(tmp_path / "runs")]) == 0
    assert began[0].train.learning_rate == pytest.approx(1e-4)
    assert began[0].train.clip_norm == 1
    assert began[0].model == small_config().model


@pytest.mark.parametrize("ema", [0, 0.9])
def test_training_in_half_precision_leaves_a_model_in_full(manifest, tmp_path, ema):
    before = keras.config.dtype_policy()
    _, training = run(
        manifest, tmp_path, "train.precision=mixed_bfloat16", f"train.ema={ema}"
    )
    assert keras.config.dtype_policy() is before
    saved = load_model(tmp_path)
    kinds = {
        layer.dtype_policy.name for layer in (*saved.layers, *training.model.layers)
    }
    assert kinds == {"float32"}
    plain = small_model(small_config())
    plain.set_weights(saved.get_weights())
    pipeline = InputPipeline(manifest, small_config())
    label, logit = Predictor(plain).logits(pipeline.evaluation("val"))
    np.testing.assert_allclose(
        training.predictor.logits(pipeline.evaluation("val"))[1], logit, atol=1e-6
    )
    # What was selected on is what was saved.
    assert roc_auc(label, logit) == training.val_auc


def test_a_failed_training_leaves_the_policy_too(manifest, tmp_path):
    before = keras.config.dtype_policy()

    def failing(config):
        raise RuntimeError

    with pytest.raises(RuntimeError):
        run(manifest, tmp_path, "train.precision=mixed_bfloat16", build=failing)
    assert keras.config.dtype_policy() is before


class NanAt(keras.layers.Layer):
    """Gives NaN in one training step."""

    def __init__(self, step):
        super().__init__()
        self.step = step
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x, training=False):
        if training:
            x = keras.ops.where(self.count == self.step, float("nan"), x)
            self.count.assign_add(1.0)
        return x


def test_a_stop_before_validation_leaves_it_to_the_next_start(manifest, tmp_path):
    """The state is that of the epoch's last step: its validation is still to come."""
    whole = run(manifest, tmp_path / "whole", "train.deterministic=true")[1]

    def stop(epoch, batch, logs):
        if (epoch, batch) == (1, 2):  # the last of the epoch
            signal.raise_signal(signal.SIGINT)

    asked = []
    with pytest.raises(KeyboardInterrupt):
        run(
            *(manifest, tmp_path / "cut", "train.deterministic=true"),
            on_batch=stop,
            on_interrupt=lambda: asked.append(True),
        )
    assert asked == [True]
    done = read_progress(tmp_path / "cut/checkpoints")
    assert (done["step"], done["epoch"]) == (2, 0)
    again = run(manifest, tmp_path / "cut", "train.deterministic=true")[1]
    for mine, theirs in zip(again.history, whole.history, strict=True):
        assert mine["val_auc"] == theirs["val_auc"]
        assert mine["loss"] == theirs["loss"]
    for mine, theirs in zip(again.model.weights, whole.model.weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_one_class_to_validate_on_selects_by_loss(manifest, tmp_path):
    videos = [v for v in manifest.videos if v["split"] != "val" or v["label"] == 0]
    reals = dataclasses.replace(manifest, videos=tuple(videos))
    _, training = run(reals, tmp_path)
    assert math.isnan(training.val_auc)
    losses = [row["val_loss"] for row in training.history]
    assert training.selected_epoch == losses.index(min(losses)) + 1
    rows = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[0])["val_auc"] is None


def test_the_batch_must_be_shared_by_the_replicas():
    with pytest.raises(UsageError, match="3 devices can share"):
        make_strategy(3, batch_size=8)
    with pytest.raises(UsageError, match="Expected --devices such as"):
        make_strategy("-1")
    with pytest.raises(UsageError, match="Received: 0 that TensorFlow can use"):
        make_strategy("gpu:2")


@pytest.mark.slow
def test_two_replicas_train_and_select(start, tmp_path):
    options = ("--records", tmp_path / "records", "--devices", "cpu:2")
    code, out, err = start(tmp_path / "run", "train.ema=0.9", *options).end()
    assert code == 0, err[-2000:]
    assert "REPLICAS 2" in out
    assert (tmp_path / "run/model.keras").is_file()

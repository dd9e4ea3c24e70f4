import keras
import numpy as np
import pytest
from small_data import small_config

from sfcl_tf.training.optimizer import make_optimizer

CONSTANT = "train.schedule=constant", "train.warmup=0"


def two_layers():
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(4, name="block1"), keras.layers.Dense(1)]
    )
    return model, model.layers[0].trainable_variables


def moved(model, optimizer, steps):
    """How far each variable moves in each step, under a gradient of 1."""
    model.compile(optimizer, "mse")
    optimizer.build(model.trainable_variables)
    distances = []
    for _ in range(steps):
        before = [np.array(v) for v in model.trainable_variables]
        ones = [keras.ops.ones_like(v) for v in model.trainable_variables]
        optimizer.apply(ones, model.trainable_variables)
        pairs = zip(before, model.trainable_variables, strict=True)
        distances.append([float(np.abs(b - np.array(v)).max()) for b, v in pairs])
    return np.array(distances)


def test_the_backbone_learns_at_its_own_rate():
    model, backbone = two_layers()
    options = small_config(
        *CONSTANT, "train.learning_rate=0.01", "train.backbone_rate=0.1"
    ).train
    distances = moved(model, make_optimizer(options, 10, backbone), 3)
    np.testing.assert_allclose(distances[:, :2], 1e-3, rtol=1e-3)
    np.testing.assert_allclose(distances[:, 2:], 1e-2, rtol=1e-3)


def test_a_frozen_backbone_begins_to_learn_later():
    model, backbone = two_layers()
    options = small_config(
        *CONSTANT, "train.learning_rate=0.01", "train.freeze_epochs=1"
    ).train
    distances = moved(model, make_optimizer(options, 2, backbone), 4)
    assert (distances[:2, :2] == 0).all()
    assert (distances[2:, :2] > 0).all()
    assert (distances[:, 2:] > 0).all()


def test_the_end_of_a_fit_does_not_put_the_average_in_place():
    model, _ = two_layers()
    optimizer = make_optimizer(small_config("train.ema=0.9").train, 2)
    moved(model, optimizer, 3)
    before = [np.array(v) for v in model.trainable_variables]
    optimizer.finalize_variable_values(model.trainable_variables)
    for value, variable in zip(before, model.trainable_variables, strict=True):
        np.testing.assert_array_equal(value, variable)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_the_rate_is_that_of_the_schedule(schedule):
    options = small_config(
        f"train.schedule={schedule}", "train.warmup=0.5", "train.learning_rate=0.1"
    ).train
    optimizer = make_optimizer(options, 10)  # 20 steps, 10 of them warm-up
    values = [float(optimizer._learning_rate(step)) for step in (0, 5, 10, 20)]
    end = 0.1 if schedule == "constant" else 0
    np.testing.assert_allclose(values, [0, 0.05, 0.1, end], atol=1e-6)


def test_without_warm_up_the_constant_rate_is_one_number():
    options = small_config("train.schedule=constant", "train.warmup=0").train
    assert make_optimizer(options, 10)._learning_rate == options.learning_rate

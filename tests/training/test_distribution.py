"""The same training on one device, on two, and on two workers."""

import json
import textwrap

import numpy as np
import pytest
import tensorflow as tf
from small_data import small_manifest

from sfcl_tf.models import load_model
from sfcl_tf.training.checkpoint import BEST

FRAMES = 24
# 12 steps of 8 examples; what differs by replica or chance is off.
SETTINGS = (
    "train.epochs=1",
    "model.dropout=0.0",
    "train.sync_bn=true",
    "--frames",
    FRAMES,
)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    folder = tmp_path_factory.mktemp("records")
    small_manifest(folder, FRAMES)
    return folder


@pytest.fixture
def train(start, records, tmp_path):
    def begin(name, *arguments, **options):
        given = (tmp_path / name, *SETTINGS, "--records", records, *arguments)
        return start(*given, **options)

    return begin


def difference(one, two):
    assert len(one) == len(two) == 12
    return np.abs(np.subtract(one, two))


def weights(path):
    with np.load(path) as saved:
        return [saved[name] for name in saved.files]


@pytest.mark.slow
def test_one_device_two_devices_and_two_workers_take_the_same_steps(
    train, two_workers, tmp_path
):
    one = train("one", "--float64").losses()
    two = train("two", "--float64", "--devices", "cpu:2").losses()
    assert difference(one, two).max() < 1e-6
    both = [train("both", "--float64", tf_config=config) for config in two_workers]
    chief = both[0].losses()
    assert both[1].end()[0] == 0
    assert difference(two, chief).max() < 1e-6
    first, second = (weights(tmp_path / f"both/worker{n}.npz") for n in (0, 1))
    for ours, theirs in zip(first, second, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
def test_one_and_two_replicas_clip_the_same_gradient(train, tmp_path):
    clipped = "--float64", "train.clip_norm=0.01"
    one = train("one", *clipped).losses()
    two = train("two", *clipped, "--devices", "cpu:2").losses()
    assert difference(one, two).max() < 1e-12
    free = train("free", "--float64").losses()
    assert difference(one, free).max() > 1e-3  # it does clip


@pytest.mark.slow
def test_several_replicas_keep_the_mean_of_their_statistics(
    train, two_workers, tmp_path
):
    """With the weights held still, means of halves are the mean of the whole."""
    still = "train.sync_bn=false", "train.learning_rate=0", "train.clip_norm=1"
    train("one", *still).losses()
    train("two", *still, "--devices", "cpu:2").losses()
    for process in [train("both", *still, tf_config=c) for c in two_workers]:
        process.losses()
    expected = statistics(tmp_path / "one")
    for name in ("two", "both"):
        for found in statistics(tmp_path / name):
            np.testing.assert_allclose(found, expected[0], rtol=1e-4, atol=1e-5)


def statistics(folder):
    """The moving mean in `model.keras`, in the best weights and in the checkpoint."""
    saved = load_model(folder)
    layer = next(x for x in saved.layers if "normalization" in x.name)
    found = [np.array(layer.moving_mean)]
    saved.load_weights(folder / "checkpoints" / BEST)
    found.append(np.array(layer.moving_mean))
    state = json.loads((folder / "checkpoints/state.json").read_text())
    reader = tf.train.load_checkpoint(str(folder / "checkpoints" / state["name"]))
    place = [w.path for w in saved.variables].index(layer.moving_mean.path)
    found.append(reader.get_tensor(f"model/{place}/.ATTRIBUTES/VARIABLE_VALUE"))
    return found


@pytest.mark.slow
def test_in_float32_the_first_steps_agree(train, two_workers):
    one = train("one32").losses()
    two = train("two32", "--devices", "cpu:2").losses()
    assert difference(one, two)[:2].max() < 1e-4
    both = [train("both32", tf_config=config) for config in two_workers]
    assert difference(two, both[0].losses())[:2].max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("lost", [0, 1])
def test_a_lost_worker_ends_the_other_and_both_go_on_with_resume(
    train, two_workers, lost
):
    settings = ("--slow", 0.3, "train.checkpoint_steps=2")
    workers = [train("run", *settings, tf_config=config) for config in two_workers]
    assert workers[0].wait_for("BATCH", 5)
    workers[lost].process.kill()
    workers[lost].end()
    code, _, err = workers[1 - lost].end(timeout=60)
    assert code != 0
    assert "Expected every worker to train on. Received: one was lost" in err
    assert "start all workers again with --resume" in err
    again = [train("run", tf_config=config) for config in two_workers]
    done = 12 - len(again[0].losses())
    assert 4 <= done <= 6
    assert again[1].end()[0] == 0


@pytest.mark.slow
def test_keras_still_needs_fit_model(start, two_workers, tmp_path):
    """When this fails, Keras's own `fit` works with workers: use it."""
    program = tmp_path / "plain.py"
    program.write_text(
        textwrap.dedent(
            """
            import keras
            import numpy as np
            import tensorflow as tf

            strategy = tf.distribute.MultiWorkerMirroredStrategy()
            with strategy.scope():
                model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
                model.compile("sgd", "mse", jit_compile=False)
            data = tf.data.Dataset.from_tensors((np.ones((4, 2)), np.ones((4, 1))))
            model.fit(data.repeat(), steps_per_epoch=2, verbose=0)
            """
        )
    )
    both = [start(tf_config=config, program=program) for config in two_workers]
    code, _, err = both[0].end(timeout=120)
    both[1].process.kill()
    assert code != 0
    assert "PerReplica" in err  # reduced as if it were one tensor

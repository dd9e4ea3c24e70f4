"""Which run of the baseline stands beside a result."""

import json
import os

import pytest

from sfcl_tf.config import load_config, to_toml
from sfcl_tf.evaluation.baseline import find_baseline
from sfcl_tf.inputs.pipeline import InputPipeline

ENVIRONMENT = {"dataset": "ff_c23", "fingerprint": "01", "records": {"train": "a"}}


@pytest.fixture
def make(tmp_path):
    """A function that leaves what is read of a finished run, each newer than before."""
    times = iter(range(1, 99))

    def run(name, preset, *overrides, environment=ENVIRONMENT):
        folder = tmp_path / name
        folder.mkdir()
        config = load_config(preset=preset, overrides=overrides)
        (folder / "config.toml").write_text(to_toml(config))
        (folder / "env.json").write_text(json.dumps(environment))
        (folder / "model.keras").touch()
        os.utime(folder / "model.keras", (next(times),) * 2)
        return folder, InputPipeline(None, config)

    return run


def b4(make, name, preset, *overrides, **options):
    return make(name, preset, "model.name=efficientnet_b4", *overrides, **options)


def test_a_short_tiny_baseline_is_not_beside_a_paper_run(make):
    own = make("own", "paper")
    assert find_baseline(*own) is None
    b4(make, "b4-tiny-one-epoch", "tiny", "train.epochs=1")
    found = find_baseline(*own)
    assert found.run.name == "b4-tiny-one-epoch"
    assert {
        "model.image_size 128 instead of 380",
        "model.spatial_weights none instead of imagenet",
        "train.epochs 1 instead of 20",
        "train.batch_size 16 instead of 20",
    } <= {*found.differences}
    b4(make, "b4-paper", "paper", "train.seed=3")
    b4(make, "b4-newer", "recommended")
    found = find_baseline(*own)
    assert (found.run.name, found.differences) == ("b4-paper", ())


def test_the_newest_of_those_that_fit_is_taken_else_the_closest(make):
    own = make("own", "paper")
    b4(make, "two", "paper", "train.epochs=3", "data.margin=1.2")
    b4(make, "one", "paper", "train.epochs=3")
    b4(make, "three", "paper", "train.epochs=3", "data.margin=1.2", "augment.jpeg=0.5")
    found = find_baseline(*own)
    assert (found.run.name, len(found.differences)) == ("one", 1)
    for name in ("first", "second"):
        b4(make, name, "paper")
    assert find_baseline(*own).run.name == "second"


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ("data.margin=1.5", "data.margin 1.5 instead of 1.3"),
        ("data.snap_to_grid=false", "data.snap_to_grid False instead of True"),
        ("data.real_repeat=auto", "data.real_repeat auto instead of 1"),
        ("train.learning_rate=0.01", "train.learning_rate 0.01 instead of 0.001"),
        ("train.clip_norm=1", "train.clip_norm 1.0 instead of 0.0"),
        (
            "augment.jpeg_quality=[60, 95]",
            "augment.jpeg_quality [60, 95] instead of [40, 95]",
        ),
        ("model.image_size=224", "model.image_size 224 instead of 380"),
        (
            "model.spatial_weights=none",
            "model.spatial_weights none instead of imagenet",
        ),
    ],
)
def test_what_makes_another_experiment_is_named(make, setting, told):
    own = make("own", "paper")
    b4(make, "b4", "paper", setting)
    assert find_baseline(*own).differences == (told,)


def test_what_makes_no_other_experiment_is_let_be(make):
    own = make("own", "paper", "model.sida=false", "model.hcma_dim=512")
    settings = ("train.seed=1", "train.deterministic=true", "train.histograms=true")
    settings += ("train.precision=auto", "train.checkpoint_steps=7")
    settings += ("data.dct_channels=y", "evaluate.batch_size=1")
    b4(make, "b4", "paper", *settings)
    assert find_baseline(*own).differences == ()


@pytest.mark.parametrize("preset", ["paper", "recommended", "tiny"])
@pytest.mark.parametrize("model", ["sfcl_hcmf", "xception", "meso4"])
def test_each_model_is_as_its_preset_wants(make, model, preset):
    own = make("own", preset, f"model.name={model}")
    b4(make, "b4", preset)
    assert find_baseline(*own).differences == ()


def test_another_size_than_a_model_was_made_for_is_a_choice(make):
    own = make("own", "paper", "model.name=xception", "model.image_size=224")
    b4(make, "b4", "paper")
    b4(make, "b4-small", "paper", "model.image_size=224")
    assert find_baseline(*own).run.name == "b4-small"


def test_other_records_are_another_matter(make):
    own = make("own", "paper")
    b4(make, "b4", "paper", environment=ENVIRONMENT | {"records": {"train": "b"}})
    b4(make, "unknown", "paper", environment={})
    assert find_baseline(*own) is None
    unknown = make("own-unknown", "paper", environment={})
    assert find_baseline(*unknown) is None

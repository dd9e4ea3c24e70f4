import dataclasses

import pytest

from sfcl_tf.config import Config, load_config, read_config, to_toml
from sfcl_tf.config.presets import PRESETS
from sfcl_tf.system.errors import UsageError


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_survive_toml(preset, tmp_path):
    config = load_config(preset=preset, overrides=["data.real_repeat=auto"])
    path = tmp_path / "config.toml"
    path.write_text(to_toml(config), "utf-8")
    assert read_config(path) == config
    assert load_config(file=path) == config


def test_paper_preset_is_the_papers():
    config = load_config(preset="paper")
    assert (config.train.learning_rate, config.train.weight_decay) == (1e-3, 1e-8)
    assert (config.train.batch_size, config.train.epochs) == (20, 20)
    assert (config.model.image_size, config.data.frames) == (380, 270)
    assert config.model.spatial == "efficientnet_b4"
    assert config == Config()


def test_later_values_win(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[train]\nepochs = 7\nseed = 3\n[data]\nreal_repeat = 2\n")
    config = load_config(
        preset="tiny",
        card={"data.real_repeat": 4},
        file=path,
        overrides=["train.epochs=9", ("train.batch_size", 4)],
    )
    assert config.data.real_repeat == 2
    assert (config.train.epochs, config.train.seed) == (9, 3)
    assert config.train.batch_size == 4


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epoch=3", "Did you mean train.epochs"),
        ("epochs=3", "does not exist"),
        ("data.shuffle_buffer=9", "shuffled as a whole"),
        ("train.class_weight=balanced", "half real"),
        ("train.epochs=many", "to be an integer"),
        ("train.epochs=1.5", "to be an integer"),
        ("train.epochs=0", "in 1..1e"),
        ("model.sida=yes", "true or false"),
        ("model.hcma_tokens=words", "'spatial' or 'pooled'"),
        ("model.sbcm_filters=16", "a list of an integer"),
        ("augment.flip=2", "in 0..1"),
        ("augment.jpeg=-0.1", "in 0..1"),
        ("augment.jpeg_quality=[0, 90]", "in 1..100"),
        ("augment.jpeg_quality=[90, 40]", "as [low, high]"),
        ("augment.jpeg_quality=[40, 60, 90]", "a list [low, high]"),
        ("augment.jpeg_quality=[40.5, 90]", "to be an integer"),
        ("augment.blur_sigma=2", "a list [low, high]"),
        ("data.dct_channels=rgb", "'ycbcr' or 'y'"),
        ("train.learning_rate=nan", "in 0..1000"),
        ("data.real_repeat=0", "in 1..1e"),
        ("data.real_repeat=often", "to be an integer or 'auto'"),
        ("model.name=[1]", "to be 'sfcl_hcmf' or"),
        ("train.epochs", "section.key=value"),
        ("model.hcma_heads=3", "to divide model.hcma_dim"),
        ("model.sbcm_strides=[1, 2]", "of one length"),
        ("model.sbcm_kernels=[7, 0, 3]", "and positive"),
    ],
)
def test_a_wrong_override_is_named(override, message):
    with pytest.raises(UsageError, match="Expected") as caught:
        load_config(overrides=[override])
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "side"),
    [
        (["augment.jitter=0.5", "data.margin=1.6"], "1.6 x 1 + 2 x 0.08 = 1.76"),
        (["augment.scale=0.5", "augment.scale_factor=[0.9, 1.3]"], "= 1.69"),
        (
            ["augment.scale=1", "augment.jitter=1", "augment.jitter_shift=[-0.1, 0]"],
            "1.3 x 1.1 + 2 x 0.1 = 1.63",
        ),
    ],
)
def test_a_box_that_would_leave_the_stored_region_is_refused(overrides, side):
    with pytest.raises(UsageError, match="Narrow the ranges") as caught:
        load_config(overrides=overrides)
    assert side in str(caught.value)
    # Where the op is off its range does not matter.
    load_config(overrides=overrides[1:2])


def test_every_op_has_bounds_and_a_range_that_starts_low():
    augment = load_config(preset="recommended").augment
    for field in dataclasses.fields(augment):
        value = getattr(augment, field.name)
        if isinstance(value, tuple):
            assert value[0] < value[1]
        wrong = [9e9, 9e9] if isinstance(value, tuple) else 9e9
        if "count" in field.name or "quality" in field.name:
            wrong = [10**9, 10**9]
        with pytest.raises(UsageError, match=f"Expected augment.{field.name} in"):
            load_config(overrides=[(f"augment.{field.name}", wrong)])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = 3", "in a section"),
        ("[train", "Expected TOML"),
        ("[trane]\nepochs = 3", "does not exist"),
    ],
)
def test_a_wrong_file_is_named(text, message, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match="Expected") as caught:
        load_config(file=path)
    assert message in str(caught.value)
    with pytest.raises(UsageError, match="readable TOML"):
        load_config(file=tmp_path / "absent.toml")


@pytest.mark.parametrize("preset", ["huge", []])
def test_unknown_preset_is_named(preset):
    with pytest.raises(UsageError, match="Expected a preset of paper"):
        load_config(preset=preset)


def test_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_config().train.epochs = 3


def test_keys_of_earlier_versions_are_read_over(tmp_path):
    config = load_config(preset="tiny")
    path = tmp_path / "config.toml"
    text = to_toml(config)
    text = text.replace("[data]", "[data]\nshuffle_buffer = 1024")
    text = text.replace("[train]", '[train]\nclass_weight = "none"')
    path.write_text(text, "utf-8")
    assert read_config(path) == config
    assert load_config(file=path) == config

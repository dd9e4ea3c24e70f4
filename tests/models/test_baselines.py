import cv2
import keras
import numpy as np
import pytest
from helpers import model_inputs
from small_data import small_config, small_manifest

from sfcl_tf.config import load_config, read_config, to_toml
from sfcl_tf.evaluation import roc_auc
from sfcl_tf.inputs.crop import crop_face
from sfcl_tf.inputs.pipeline import InputPipeline
from sfcl_tf.models import backbone, build_model, load_model
from sfcl_tf.ops import SIDA_SIZE
from sfcl_tf.system.errors import ModelError, UsageError
from sfcl_tf.training.trainer import save_model

BASELINES = ("efficientnet_b4", "xception", "meso4", "convnext_tiny")


def config_of(name, *overrides, preset="tiny"):
    return load_config(preset=preset, overrides=[f"model.name={name}", *overrides])


@pytest.fixture(
    scope="module",
    params=[pytest.param(BASELINES[0], marks=pytest.mark.slow), *BASELINES[1:]],
)
def built(request):
    config = config_of(request.param)
    return config, build_model(config)


def some_faces(config, count=3):
    size = config.model.image_size
    rng = np.random.default_rng(0)
    image = rng.uniform(0, 255, (count, size, size, 3)).astype("float32")
    return {"image": image, "sida": np.zeros((count, SIDA_SIZE), "float32")}


def test_signature_is_that_of_the_whole_model(built):
    config, model = built
    size = config.model.image_size
    assert model.name == config.model.name
    assert model.input["image"].shape == (None, size, size, 3)
    assert model.input["sida"].shape == (None, SIDA_SIZE)
    logit = model(some_faces(config))
    assert (logit.shape, logit.dtype) == ((3, 1), "float32")


def test_every_weight_learns(built):
    import tensorflow as tf

    config, model = built
    with tf.GradientTape() as tape:
        loss = keras.ops.mean(keras.ops.square(model(some_faces(config)) - 1))
    found = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for variable, gradient in zip(model.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        assert np.isfinite(gradient).all(), variable.path
    assert sum(bool(np.any(g)) for g in found) > 0.9 * len(found)


def test_saved_and_loaded_it_gives_the_same(built, tmp_path):
    config, model = built
    faces = some_faces(config)
    save_model(model, tmp_path / "model.keras")
    again = load_model(tmp_path)(faces)
    np.testing.assert_allclose(again, model(faces), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "preset", "size"),
    [
        ("efficientnet_b4", "paper", 380),
        ("xception", "paper", 299),
        ("xception", "tiny", 128),
        ("convnext_tiny", "recommended", 224),
        ("convnext_tiny", "tiny", 128),
        ("meso4", "paper", 256),
        ("meso4", "tiny", 256),
    ],
)
def test_each_has_the_input_that_it_was_made_for(name, preset, size, tmp_path):
    config = config_of(name, preset=preset)
    assert config.model.image_size == size
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert read_config(tmp_path / "config.toml") == config
    assert load_config(file=tmp_path / "config.toml") == config
    if name != "meso4":
        chosen = config_of(name, "model.image_size=64", preset=preset)
        assert chosen.model.image_size == 64


def test_meso4_has_one_size():
    with pytest.raises(UsageError, match="image_size=256 for meso4"):
        config_of("meso4", "model.image_size=128")


def test_meso4_was_never_trained_on_imagenet():
    with pytest.raises(ModelError, match="never trained"):
        build_model(config_of("meso4", "model.spatial_weights=imagenet"))


def test_sida_is_spared_where_it_is_not_read(tmp_path):
    manifest = small_manifest(tmp_path)
    for change, zeros in (("model.name=meso4", True), ("model.sida=true", False)):
        size = "model.image_size=256"
        pipeline = InputPipeline(manifest, small_config(size, change))
        inputs, *_ = next(iter(pipeline.evaluation("val")))
        assert bool((inputs["sida"].numpy() == 0).all()) == zeros


def test_backbone_is_what_imagenet_weights_are_for():
    names = {layer.name for layer in backbone(build_model(config_of("sfcl_hcmf")))}
    assert {"stem_conv", "block4a_expand_conv", "top_conv"} <= names
    assert not any(n.startswith(("cnn_f", "block_dct", "sbcm", "hcma")) for n in names)
    xception = build_model(config_of("xception"))
    weights = [w.path for layer in backbone(xception) for w in layer.weights]
    assert weights == [w.path for w in xception.weights][:-2]  # all but the logit's
    assert backbone(build_model(config_of("meso4"))) == []


@pytest.fixture(scope="module")
def published(media):
    weights = media / "mesonet/weights/Meso4_DF.h5"
    config = config_of("meso4", ("model.spatial_weights", str(weights)))
    return build_model(config)


def scores(model, images):
    """P(fake) by the path that training and serving take."""
    inputs = []
    for image in images:
        height, width = image.shape[:2]
        crop = crop_face(image, [0, 0, width, height], margin=1.0)
        inputs.append(model_inputs(crop, 256, sida=False))
    batch = {k: np.stack([i[k] for i in inputs]) for k in inputs[0]}
    return keras.ops.convert_to_numpy(keras.ops.sigmoid(model(batch)))[:, 0]


def test_published_meso4_scores_its_own_images_as_published(published, media):
    for kind in ("real", "df"):
        paths = sorted((media / "mesonet/test_images" / kind).glob("*.jpg"))
        images = [cv2.imread(str(path))[..., ::-1] for path in paths]
        real = 1 - scores(published, images)
        assert len(real) == 2
        assert (real > 0.9).all() if kind == "real" else (real < 0.1).all()


def test_published_meso4_has_its_auc_on_faceforensics(published, face_crops):
    images, labels = face_crops
    assert roc_auc(labels, scores(published, images)) == pytest.approx(0.969, abs=5e-4)

"""Makes what the release before wrote: data, records, a run, an export, its scores.

Run by hand, with the package of that release; all that it makes is made of noise:

  git worktree add /some/dir afb81a9
  PYTHONPATH=/some/dir python tests/earlier/make.py
  git worktree remove /some/dir

`workspace` is the folder that somebody worked in: clips and the boxes of their faces,
`records`, and `runs/meso4`, as `sfcl train` left it. `sfcl_hcmf` is one of which
only the structure matters; its weights repeat themselves, so that it is small. What
came out of them is in `scores.json`.
"""

import contextlib
import dataclasses
import json
import lzma
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

HERE = Path(__file__).parent
PAIRS = {"train": ("071", "054"), "val": ("720", "672"), "test": ("953", "974")}
DATA = ("--data-root", "data", "--boxes", "boxes.json", "--frames", "3")
RUN = Path("runs/meso4")
EXPORT = RUN / "savedmodel/1"
# Pictures for people; 6 MB of pixels to warm up by; TensorBoard's logs, which name
# the machine.
LEFT_OUT = ("plots*", "report.html", "tf_serving_warmup_requests", "tb", ".lock")
PACKED = ("saved_model.pb", "sfcl_hcmf/model.keras")


def main():
    """Makes all of it by the release that is imported, then replaces what is here."""
    os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    with tempfile.TemporaryDirectory() as folder:
        work, made = Path(folder, "work"), Path(folder, "made")
        work.mkdir()
        with contextlib.chdir(work):
            scores = make(made)
        told = json.dumps(scores, default=np.ndarray.tolist)
        (made / "scores.json").write_text(f"{told}\n", "utf-8")
        for path in made.rglob("manifest.json"):
            shorten(path)
        for path in made.rglob("env.json"):
            anonymise(path)
        for path in [path for name in PACKED for path in made.rglob(name)]:
            packed = path.with_name(f"{path.name}.xz")
            packed.write_bytes(lzma.compress(path.read_bytes()))
            path.unlink()
        for name in ("workspace", "sfcl_hcmf"):
            shutil.rmtree(HERE / name, ignore_errors=True)
        shutil.copytree(made, HERE, dirs_exist_ok=True)


def make(made):
    """Works in this folder as a person would; returns the scores.

    Args:
        made: Where `workspace` and `sfcl_hcmf` are written.
    """
    from sfcl_tf.detect import Detector

    make_clips()
    sfcl("prepare", "ff_c23", *DATA)
    sfcl(
        *("train", "--dataset", "ff_c23", *DATA, "--name", RUN.name),
        *("--model", "meso4", "--preset", "tiny", "--epochs", "3", "--deterministic"),
        *("--set", "train.batch_size=6", "--set", "train.learning_rate=0.003"),
        *("--set", "model.bn_momentum=0.5"),
    )
    shutil.copytree(".", made / "workspace", ignore=shutil.ignore_patterns(*LEFT_OUT))
    records = next(Path("records").iterdir())
    scores = {
        "export": answers(EXPORT, records),
        "detected": {
            str(path): detect(Detector.load(path, "tensorflow"))
            for path in (RUN, EXPORT)
        },
        "sfcl_hcmf": make_sfcl_hcmf(made / "sfcl_hcmf", records),
    }
    sfcl("train", "--resume", str(RUN), "--epochs", "4", "--no-export", *DATA[:2])
    rows = (RUN / "metrics.jsonl").read_text("utf-8").splitlines()
    return scores | {"resumed": json.loads(rows[-1])}


def unpack(name, to):
    """Copies `workspace` or `sfcl_hcmf` to where it may be changed, as it was."""
    shutil.copytree(HERE / name, to, dirs_exist_ok=True)
    for path in to.rglob("*.xz"):
        path.with_suffix("").write_bytes(lzma.decompress(path.read_bytes()))
        path.unlink()


def sfcl(*arguments):
    """Runs a command as a person does; `env.json` tells how."""
    from sfcl_tf.cli import main

    sys.argv = ["sfcl", *arguments]
    code = main(list(arguments))
    if code:
        raise SystemExit(code)


def make_clips():
    """Writes two reals and two fakes a split, and the box of each one's face."""
    rng = np.random.default_rng(0)
    boxes = {}
    for target, source in PAIRS.values():
        for method, name in (
            ("real", target),
            ("real", source),
            ("Deepfakes", f"{target}_{source}"),
            ("FaceSwap", f"{source}_{target}"),
        ):
            kind = f"manipulated_sequences/{method}"
            kind = "original_sequences/youtube" if method == "real" else kind
            path = Path("data/FaceForensics++", kind, f"c23/videos/{name}.mp4")
            path.parent.mkdir(parents=True, exist_ok=True)
            write_clip(path, noise(rng, is_fake=method != "real"))
            x, y = rng.integers(4, 12, 2).tolist()
            faces = {index: [[x, y, x + 48, y + 48]] for index in range(4)}
            boxes[f"ff_c23/{method}/{name}"] = faces
    Path("boxes.json").write_text(json.dumps(boxes), "utf-8")


def noise(rng, *, is_fake):
    """Draws 4 pictures; those of a fake are smoother."""
    pictures = rng.integers(80, 176, (4, 64, 64, 3)).astype("uint8")
    side = 3 if is_fake else 2
    return [cv2.blur(picture, (side, side)) for picture in pictures]


def write_clip(path, pictures):
    """Encodes pictures as FaceForensics++ c23 is."""
    import av

    with av.open(str(path), "w") as container:
        options = {"crf": "23", "threads": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv444p"
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def shorten(manifest):
    """Leaves out most of the 5,000 videos that the lists name and noise lacks."""
    values = json.loads(manifest.read_text("utf-8"))
    values["missing"] = values["missing"][:3]
    manifest.write_text(json.dumps(values, indent=1), "utf-8")


def anonymise(environment):
    """Leaves out which machine it was."""
    values = json.loads(environment.read_text("utf-8"))
    values["platform"] = f"{platform.system()}-{platform.machine()}"
    environment.write_text(json.dumps(values, indent=1), "utf-8")


def answers(export, records):
    """Returns what an export says of the faces of the test split.

    Args:
        export: The SavedModel.
        records: The folder of a data set's records.

    Returns:
        Outputs by signature and name, a row a face, in the manifest's order.
    """
    import tensorflow as tf

    signatures = tf.saved_model.load(str(export)).signatures
    manifest = json.loads((records / "test/manifest.json").read_text("utf-8"))
    shards = [str(records / video["shard"]) for video in manifest["videos"]]
    features = [
        tf.train.Example.FromString(record.numpy()).features.feature
        for record in tf.data.TFRecordDataset(shards)
    ]
    png = [each["png"].bytes_list.value[0] for each in features]
    boxes = [[list(each["box"].int64_list.value)] for each in features]
    encoded = {"image_bytes": tf.constant(png)}
    asked = {
        "serving_default": encoded,
        "crops": {"crops": tf.stack([tf.io.decode_png(each) for each in png])},
        "frame": encoded | {"boxes": tf.constant(boxes, tf.float32)},
        "features": encoded,
        "explain": encoded,
    }
    return {
        name: {
            key: value.numpy().astype(str if value.dtype == tf.string else float)
            for key, value in signatures[name](**inputs).items()
            if key != "calibration"  # JSON, a copy a face
        }
        for name, inputs in asked.items()
    }


def detect(model, **options):
    """Returns what a detector finds in a picture of a face.

    Args:
        model: A `sfcl_tf.Detector`.
        **options: What asks a later version for what was the default in this one.
    """
    from skimage.data import astronaut

    cv2.imwrite("face.png", astronaut()[:300, 60:360, ::-1])
    return dataclasses.asdict(model.predict("face.png", **options))


def make_sfcl_hcmf(folder, records):
    """Saves an SFCL-HCMF in a folder; returns its logits of the test split.

    Each large weight is the same 251 numbers again and again, at the scale that it is
    initialised with, to a power of two. Batch statistics are those of one batch, over
    a layer's channels together.
    """
    import keras
    from sfcl_tf.data.manifest import read_manifest
    from sfcl_tf.data.pipeline import InputPipeline

    from sfcl_tf.config import load_config, to_toml
    from sfcl_tf.evaluation import Predictor
    from sfcl_tf.models import build_model
    from sfcl_tf.training import fill_standardize
    from sfcl_tf.training.trainer import save_model

    config = load_config(
        preset="tiny",
        file=RUN / "config.toml",
        overrides=[
            ("model.name", "sfcl_hcmf"),
            ("model.image_size", 64),
            ("model.bn_momentum", 0.0),
        ],
    )
    pipeline = InputPipeline(read_manifest(records), config)
    batches = pipeline.evaluation("train").map(lambda inputs, *_: inputs)
    keras.utils.set_random_seed(0)
    model = build_model(config)
    pattern = np.random.default_rng(0).normal(0, 1, 251)
    for weight in model.trainable_variables:
        scale = float(np.std(weight))
        if scale:
            weight.assign(np.resize(pattern, weight.shape) * 2 ** round(np.log2(scale)))
    fill_standardize(model, batches)
    model(next(iter(batches)), training=True)
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.BatchNormalization):
            means, variances = map(np.asarray, layer.non_trainable_variables)
            layer.moving_mean.assign(np.full_like(means, means.mean()))
            whole = variances.mean() + means.var()
            layer.moving_variance.assign(np.full_like(variances, whole))
    folder.mkdir()
    (folder / "config.toml").write_text(to_toml(config), "utf-8")
    save_model(model, folder / "model.keras")
    return Predictor(model).logits(pipeline.evaluation("test"))[1]


if __name__ == "__main__":
    main()

"""The same weights and inputs on Keras's other backends: are the logits the same?

Needs no TensorFlow but for the first call, which writes what to compare with:

  python benchmarks/backends.py write /tmp/backends --preset tiny
  KERAS_BACKEND=jax python benchmarks/backends.py check /tmp/backends
"""

import argparse
import sys
from pathlib import Path

import keras
import numpy as np

from sfcl_tf import ops
from sfcl_tf.config import load_config
from sfcl_tf.models import build_model, load_model

BATCH = 2
TOLERANCE = 1e-3


def write(folder, preset):
    """Saves a model whose every branch reaches the logit, inputs and logits."""
    config = load_config(preset=preset, overrides=["model.spatial_weights=none"])
    keras.utils.set_random_seed(0)
    model = build_model(config)
    faae = model.get_layer("faae")
    faae.norm.gamma.assign(np.ones(faae.norm.gamma.shape))
    size = config.model.image_size
    image = np.random.default_rng(0).uniform(0, 255, (BATCH, size, size, 3))
    image = image.astype("float32")
    sida = keras.ops.convert_to_numpy(ops.sida(image))
    logit = keras.ops.convert_to_numpy(model({"image": image, "sida": sida}))
    folder.mkdir(parents=True, exist_ok=True)
    model.save(folder / "model.keras")
    np.savez(folder / "batch.npz", image=image, sida=sida, logit=logit)
    print(
        f"{preset}: wrote {folder} on {keras.backend.backend()}, logits {logit[:, 0]}"
    )


def check(folder):
    """Compares SIDA and logits with those written; returns whether they agree."""
    batch = np.load(folder / "batch.npz", allow_pickle=False)
    sida = keras.ops.convert_to_numpy(ops.sida(batch["image"]))
    model = load_model(folder)
    inputs = {"image": batch["image"], "sida": batch["sida"]}
    logit = keras.ops.convert_to_numpy(model(inputs))
    worst_sida = np.abs(sida - batch["sida"]).max()
    worst = np.abs(logit - batch["logit"]).max()
    print(
        f"{keras.backend.backend()}: logits {logit[:, 0]}, which differ by at most "
        f"{worst:.1e}; SIDA by {worst_sida:.1e}; TensorFlow imported: "
        f"{'tensorflow' in sys.modules}"
    )
    return worst <= TOLERANCE and worst_sida <= TOLERANCE


def main():
    """Runs one of the two and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=("write", "check"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--preset", default="tiny")
    args = parser.parse_args()
    if args.action == "write":
        return write(args.folder, args.preset)
    return int(not check(args.folder))


if __name__ == "__main__":
    sys.exit(main())

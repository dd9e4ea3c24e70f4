"""Which engine computes a run: the fastest that is installed, made ready once."""

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sfcl_tf.config import read_config
from sfcl_tf.engines import available_engines, load_engine
from sfcl_tf.runs import files
from sfcl_tf.runs.schemas import ENGINE
from sfcl_tf.system.errors import ModelError, UsageError

ENGINES = ("auto", "openvino", "onnx", "tensorflow")
_CHECKED = 4  # images on which a new engine is held against Keras


def engine_of_run(
    run_dir: Path,
    engine: str = "auto",
    precision: str = "float32",
    *,
    threads: int | None = None,
    say: Callable[[str], None] = lambda text: None,
):
    """Loads a run's model on an engine.

    OpenVINO and ONNX Runtime have files of their own, in `RUN/engines/`; what is not
    there yet, or is of other weights, is made first, and kept if that can be written.

    Args:
        run_dir: A run with `model.keras`.
        engine: `"auto"` for the fastest that is installed, in float32 or what
            `precision` says; or one's name.
        precision: `"float32"`, `"bf16"` or `"int8"`.
        threads: How many compute; by default one a core.
        say: Told what takes a while.

    Raises:
        ModelError: If the model is missing, or no engine computes it so.
        UsageError: For an unknown engine.
    """
    if engine not in ENGINES:
        raise UsageError(
            f"Expected an engine of {', '.join(ENGINES)}. Received: {engine!r}."
        )
    if not (run_dir / files.MODEL).is_file():
        raise ModelError(
            f"Expected a finished run, with a model.keras. Received: {run_dir}. Let it "
            f"finish: sfcl train --resume {run_dir}."
        )
    names = available_engines() if engine == "auto" else [engine]
    if precision != "float32" and engine == "auto":
        names = [name for name in names if name != "tensorflow"]
    failure = None
    for name in names:
        try:
            return _load(run_dir, name, precision, threads, say)
        except ModelError as error:
            if engine != "auto":
                raise
            failure = failure or error
            if precision == "float32":
                say(f"{name} is left out: {error}")
    raise failure or ModelError(
        f"Expected an engine that computes in {precision}. Received: none is "
        'installed. Install one: pip install "sfcl_tf[openvino]".'
    )


def _load(run_dir, name, precision, threads, say):
    if name == "tensorflow":
        if precision != "float32":
            raise ModelError(
                f"Expected float32 with TensorFlow. Received: {precision}. Take "
                "--engine openvino for it."
            )
        return load_engine(run_dir / files.MODEL, precision, threads)
    folder = run_dir / files.ENGINES / f"{name}-{precision}"
    if _is_of(folder, run_dir):
        return load_engine(folder, precision, threads)
    if precision == "int8":
        raise ModelError(
            f"Expected int8 at {folder}. Received: none of this run's weights. Export "
            f"it, which needs training records: sfcl export {run_dir} --format {name} "
            "--precision int8."
        )
    kept = os.access(run_dir, os.W_OK)
    how = "once" if kept else f"and not kept, as {run_dir} cannot be written"
    say(f"Converting {run_dir.name} for {name} in {precision}, {how}.")
    if kept:
        _convert(run_dir, folder, name, precision)
        return load_engine(folder, precision, threads)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / name
        _convert(run_dir, folder, name, precision)
        return load_engine(folder, precision, threads)


def _is_of(folder, run_dir):
    """Tells whether an engine was made of the run's weights."""
    from sfcl_tf.detect.models import sha256

    try:
        record = ENGINE.read(folder / "engine.json")
    except (OSError, ModelError):
        return False
    return record.get("model_sha256") == sha256(run_dir / files.MODEL)


def _convert(run_dir, folder, name, precision):
    from sfcl_tf.engines import export_engine
    from sfcl_tf.engines.graph import image_size, in_float32
    from sfcl_tf.engines.verify import TOLERANCE
    from sfcl_tf.evaluation import Predictor
    from sfcl_tf.inputs.preprocess import Preprocessor
    from sfcl_tf.models import load_model

    model = in_float32(load_model(run_dir))
    side = image_size(model)
    preprocess = Preprocessor(read_config(run_dir / files.CONFIG))
    made = [preprocess.inputs(image) for image in _natural_images(side)]
    batch = {name: np.stack([each[name] for each in made]) for name in made[0]}

    def check(engine):
        expected = Predictor(model)(batch)
        # These are not faces: a logit may be in the hundreds, and so is its rounding.
        scale = np.maximum(1.0, np.abs(expected))
        largest = float(np.max(np.abs(engine(batch) - expected) / scale))
        if precision == "float32" and not largest <= TOLERANCE:
            raise ModelError(
                f"Expected {name} to agree with Keras within {TOLERANCE:g}. Received: "
                f"a difference of {largest:.3g} of the logit. Please report this with "
                "the run's config.toml."
            )
        return {"images_compared": _CHECKED, "max_rel_difference": largest}

    export_engine(model, folder, name, precision, check=check, run_dir=run_dir)


def _natural_images(side):
    """Makes pictures whose amplitudes fall with frequency, as those of photographs do.

    White noise has a hundred times the high frequencies of a face: a model's logit is
    in the thousands there, and so are rounding errors.

    Returns:
        `(4, side, side, 3)` float32 RGB in 0..255.

    Reference:
        Field, 1987, J. Opt. Soc. Am. A 4(12): amplitudes fall as 1 / f.
    """
    rng = np.random.default_rng(0)
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side))
    frequency[0, 0] = np.inf
    white = np.fft.rfft2(rng.normal(size=(_CHECKED, 3, side, side)))
    pink = np.fft.irfft2(white / frequency, s=(side, side))
    grey = pink[:, :1] + 0.2 * pink  # channels of a photograph resemble each other
    grey *= 45 / grey.std(axis=(2, 3), keepdims=True)
    images = np.clip(np.rint(128 + grey), 0, 255)
    return images.transpose(0, 2, 3, 1).astype(np.float32)

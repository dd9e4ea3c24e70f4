"""A trained model on other engines: OpenVINO and ONNX Runtime beside TensorFlow.

Each takes what a `sfcl_tf.inputs.preprocess.Preprocessor` makes, `{image, sida}`, and
gives the logit. An exported engine is a folder that is usable alone: the model's file,
`engine.json`, and the run's configuration and calibration.

Names resolve when they are first used: loading an engine needs no converter.
"""

from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy

if TYPE_CHECKING:
    from sfcl_tf.engines.base import Engine
    from sfcl_tf.engines.export import export_engine
    from sfcl_tf.engines.load import available_engines, load_engine
    from sfcl_tf.engines.verify import verify_engine

_PUBLIC = {
    "Engine": "base",
    "available_engines": "load",
    "export_engine": "export",
    "load_engine": "load",
    "verify_engine": "verify",
}
__all__ = [
    "Engine",
    "available_engines",
    "export_engine",
    "load_engine",
    "verify_engine",
]
__getattr__ = lazy(__name__, _PUBLIC)

"""SFCL-HCMF: deepfake face detection in the spatial and frequency domains.

Importing the package loads neither Keras nor TensorFlow: public names resolve
when they are first used.
"""

import importlib

__version__ = "0.1.0"

_PUBLIC = {
    "Detector": "sfcl_tf.detect",
    "build_model": "sfcl_tf.models",
    "load_model": "sfcl_tf.models",
    "load_config": "sfcl_tf.config",
}
_MODULES = ("layers", "ops")

__all__ = ["__version__", *_MODULES, *_PUBLIC]


def __getattr__(name):
    if name in _PUBLIC:
        return getattr(importlib.import_module(_PUBLIC[name]), name)
    if name in _MODULES:
        return importlib.import_module(f"sfcl_tf.{name}")
    raise AttributeError(f"module 'sfcl_tf' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)

"""From a trained model to one that is served: SavedModel, server, client, engines.

Names resolve when they are first used: the client needs no Keras.
"""

import importlib

_PUBLIC = {
    "Client": "client",
    "tls_credentials": "client",
    "export_savedmodel": "savedmodel",
    "verify_savedmodel": "savedmodel",
    "extra_files": "extra",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        module = importlib.import_module(f"sfcl_tf.serving.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'sfcl_tf.serving' has no attribute {name!r}")

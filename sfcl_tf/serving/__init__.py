"""From a trained model to one that is served: SavedModel, server, client, engines.

Names resolve when they are first used: the client needs no Keras.
"""

from sfcl_tf.system.lazy import lazy

_PUBLIC = {
    "Client": "client",
    "tls_credentials": "client",
    "export_savedmodel": "savedmodel",
    "verify_savedmodel": "savedmodel",
    "extra_files": "extra",
}
__all__ = sorted(_PUBLIC)
__getattr__ = lazy(__name__, _PUBLIC)

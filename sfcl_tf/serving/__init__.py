"""From a trained model to one that is served: SavedModel, server, client, engines.

Names resolve when they are first used: the client needs no Keras.
"""

from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy

if TYPE_CHECKING:
    from sfcl_tf.serving.client import Client, tls_credentials
    from sfcl_tf.serving.extra import extra_files
    from sfcl_tf.serving.savedmodel import export_savedmodel, verify_savedmodel

_PUBLIC = {
    "Client": "client",
    "tls_credentials": "client",
    "export_savedmodel": "savedmodel",
    "verify_savedmodel": "savedmodel",
    "extra_files": "extra",
}
__all__ = [
    "Client",
    "export_savedmodel",
    "extra_files",
    "tls_credentials",
    "verify_savedmodel",
]
__getattr__ = lazy(__name__, _PUBLIC)

"""Names that exporters, servers and clients agree on."""

MODEL_NAME = "sfcl"
"""The name under which a model is served unless somebody says otherwise."""

EXTRA = "assets.extra"
"""The folder in a SavedModel that TensorFlow Serving leaves to others."""

WARMUP = "tf_serving_warmup_requests"
"""The file in it whose requests a server replays before it is ready."""

MOST_VERSION = 10**18
"""The largest number of a model's version."""

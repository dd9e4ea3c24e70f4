"""From a trained model to a SavedModel that needs no Python of ours."""

from sfcl_tf.serving.savedmodel import export_savedmodel, verify_savedmodel

__all__ = ["export_savedmodel", "verify_savedmodel"]

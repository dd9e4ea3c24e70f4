"""From batches to weights."""

from sfcl_tf.training.standardize import fill_standardize
from sfcl_tf.training.strategy import make_strategy
from sfcl_tf.training.trainer import Training, train

__all__ = ["Training", "fill_standardize", "make_strategy", "train"]

"""The paper's building blocks as Keras layers, one a file."""

from sfcl_tf.layers.block_dct import BlockDCT
from sfcl_tf.layers.compress_sida import CompressSIDA
from sfcl_tf.layers.faae import FAAE
from sfcl_tf.layers.hcma import HCMA
from sfcl_tf.layers.logit import Logit
from sfcl_tf.layers.sbcm import SBCM
from sfcl_tf.layers.standardize import Standardize

__all__ = ["FAAE", "HCMA", "SBCM", "BlockDCT", "CompressSIDA", "Logit", "Standardize"]

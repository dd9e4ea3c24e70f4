"""From a model to figures a person can trust: predictions, metrics, plots, report."""

from sfcl_tf.evaluation.evaluate import Predictor, evaluate
from sfcl_tf.evaluation.metrics import log_loss, roc_auc, summarize
from sfcl_tf.evaluation.predictions import Predictions
from sfcl_tf.evaluation.report import write_report

__all__ = [
    "Predictions",
    "Predictor",
    "evaluate",
    "log_loss",
    "roc_auc",
    "summarize",
    "write_report",
]

"""From a model to figures a person can trust: predictions, metrics, plots, report.

Names resolve when they are first used: figures of predictions need no TensorFlow.
"""

from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy

if TYPE_CHECKING:
    from sfcl_tf.evaluation.calibrate import Calibration
    from sfcl_tf.evaluation.metrics import log_loss, roc_auc
    from sfcl_tf.evaluation.predictions import Predictions
    from sfcl_tf.evaluation.predictor import Predictor
    from sfcl_tf.evaluation.report import write_report
    from sfcl_tf.evaluation.scoring import evaluate
    from sfcl_tf.evaluation.summary import summarize

_PUBLIC = {
    "Calibration": "calibrate",
    "Predictions": "predictions",
    "Predictor": "predictor",
    "evaluate": "scoring",
    "log_loss": "metrics",
    "roc_auc": "metrics",
    "summarize": "summary",
    "write_report": "report",
}
__all__ = [
    "Calibration",
    "Predictions",
    "Predictor",
    "evaluate",
    "log_loss",
    "roc_auc",
    "summarize",
    "write_report",
]
__getattr__ = lazy(__name__, _PUBLIC)

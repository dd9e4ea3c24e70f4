"""From a model to figures a person can trust: predictions, metrics, plots, report.

Names resolve when they are first used: figures of predictions need no TensorFlow.
"""

from sfcl_tf.system.lazy import lazy

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
__all__ = sorted(_PUBLIC)
__getattr__ = lazy(__name__, _PUBLIC)

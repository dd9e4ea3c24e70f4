"""From a model to figures a person can trust: predictions, metrics, plots, report.

Names resolve when they are first used: figures of predictions need no TensorFlow.
"""

import importlib

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


def __getattr__(name):
    if name in _PUBLIC:
        module = importlib.import_module(f"sfcl_tf.evaluation.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'sfcl_tf.evaluation' has no attribute {name!r}")

"""SFCL-HCMF: deepfake face detection in the spatial and frequency domains.

Importing the package loads neither Keras nor TensorFlow: public names resolve
when they are first used.
"""

import importlib
from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy
from sfcl_tf.system.quiet import import_tensorflow

if TYPE_CHECKING:
    from sfcl_tf import layers, ops
    from sfcl_tf.config import Config, load_config
    from sfcl_tf.detect import Detector
    from sfcl_tf.models import build_model, load_model
    from sfcl_tf.runs import Run, Selection
    from sfcl_tf.system.errors import DataError, ModelError, SfclError, UsageError
    from sfcl_tf.workflow.calibrate import calibrate
    from sfcl_tf.workflow.compare import compare
    from sfcl_tf.workflow.configure import configure
    from sfcl_tf.workflow.evaluate import Choice, evaluate
    from sfcl_tf.workflow.export import export
    from sfcl_tf.workflow.prepare import prepare
    from sfcl_tf.workflow.progress import Progress, TrainingHooks
    from sfcl_tf.workflow.sources import Sources
    from sfcl_tf.workflow.train import resume, train

__version__ = "0.1.0"

_PUBLIC = {
    "Config": "config",
    "DataError": "system.errors",
    "Detector": "detect",
    "ModelError": "system.errors",
    "Progress": "workflow.progress",
    "Run": "runs",
    "Selection": "runs",
    "SfclError": "system.errors",
    "Sources": "workflow.sources",
    "TrainingHooks": "workflow.progress",
    "UsageError": "system.errors",
    "build_model": "models",
    "configure": "workflow.configure",
    "load_config": "config",
    "load_model": "models",
}
# These load TensorFlow, whose start-up lines are kept quiet.
_WORKFLOW = {
    "Choice": "workflow.evaluate",
    "calibrate": "workflow.calibrate",
    "compare": "workflow.compare",
    "evaluate": "workflow.evaluate",
    "export": "workflow.export",
    "prepare": "workflow.prepare",
    "resume": "workflow.train",
    "train": "workflow.train",
}
_MODULES = ("layers", "ops")
_resolve = lazy(__name__, _PUBLIC | _WORKFLOW)

__all__ = [
    "Choice",
    "Config",
    "DataError",
    "Detector",
    "ModelError",
    "Progress",
    "Run",
    "Selection",
    "SfclError",
    "Sources",
    "TrainingHooks",
    "UsageError",
    "__version__",
    "build_model",
    "calibrate",
    "compare",
    "configure",
    "evaluate",
    "export",
    "layers",
    "load_config",
    "load_model",
    "ops",
    "prepare",
    "resume",
    "train",
]


def __getattr__(name):
    if name in _MODULES:
        return importlib.import_module(f"sfcl_tf.{name}")
    if name in _WORKFLOW:
        import_tensorflow()
    return _resolve(name)


def __dir__():
    return sorted(__all__)

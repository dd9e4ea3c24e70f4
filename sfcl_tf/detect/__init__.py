"""From a suspicious file to an answer that a person can use.

```
file -> pictures -> faces -> crops -> engine -> scores -> tracks -> verdict
                                                  -> explanation -> report, page
```

Names resolve when they are first used.
"""

import importlib

_PUBLIC = {
    "Detector": "detector",
    "SamplingOptions": "samples",
    "Moment": "results",
    "Result": "results",
    "Track": "results",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name):
    if name in _PUBLIC:
        module = importlib.import_module(f"sfcl_tf.detect.{_PUBLIC[name]}")
        return getattr(module, name)
    raise AttributeError(f"module 'sfcl_tf.detect' has no attribute {name!r}")

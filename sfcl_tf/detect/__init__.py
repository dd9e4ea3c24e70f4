"""From a suspicious file to an answer that a person can use.

```
file -> pictures -> faces -> crops -> engine -> scores -> tracks -> verdict
                                                  -> explanation -> report, page
```

Names resolve when they are first used.
"""

from sfcl_tf.system.lazy import lazy

_PUBLIC = {
    "Detector": "detector",
    "SamplingOptions": "samples",
    "Moment": "results",
    "Result": "results",
    "Track": "results",
}
__all__ = sorted(_PUBLIC)
__getattr__ = lazy(__name__, _PUBLIC)

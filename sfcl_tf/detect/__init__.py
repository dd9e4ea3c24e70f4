"""From a suspicious file to an answer that a person can use.

```
file -> pictures -> faces -> crops -> engine -> scores -> tracks -> verdict
                                                  -> explanation -> report, page
```

Names resolve when they are first used.
"""

from typing import TYPE_CHECKING

from sfcl_tf.system.lazy import lazy

if TYPE_CHECKING:
    from sfcl_tf.detect.detector import Detector
    from sfcl_tf.detect.results import Moment, Result, Track
    from sfcl_tf.detect.samples import SamplingOptions

_PUBLIC = {
    "Detector": "detector",
    "SamplingOptions": "samples",
    "Moment": "results",
    "Result": "results",
    "Track": "results",
}
__all__ = ["Detector", "Moment", "Result", "SamplingOptions", "Track"]
__getattr__ = lazy(__name__, _PUBLIC)

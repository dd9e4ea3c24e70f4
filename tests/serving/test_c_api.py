"""The export in TensorFlow's own loader, without Python's part of TensorFlow.

TensorFlow Serving loads a model by the same C++ code. So what is answered here needs no
function of Python's, no class of Keras's and no file that only Python reads.
"""

import base64
import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

from sfcl_tf.serving.dev_server.version import signature_defs
from sfcl_tf.serving.trust import read_savedmodel

from . import c_api
from .images import png

pytestmark = pytest.mark.skipif(
    c_api.library_path() is None,
    reason=f"the installed TensorFlow has no {c_api.LIBRARY}, as Linux's wheels have",
)


def call(definition, **inputs):
    """One of `c_api`'s calls, for all outputs of a signature."""
    feeds = {}
    for name, value in inputs.items():
        feed = {"shape": list(value.shape)}
        if value.dtype == object:
            feed["strings"] = [base64.b64encode(item).decode() for item in value]
        else:
            feed["bytes"] = base64.b64encode(value.tobytes()).decode()
        feeds[definition.inputs[name].name] = feed
    fetches = {name: info.name for name, info in definition.outputs.items()}
    return {"feeds": feeds, "fetches": fetches}


def ask(path, *calls):
    """Runs `c_api` as a program; returns its answers as arrays."""
    answer = subprocess.run(
        [sys.executable, c_api.__file__],
        input=json.dumps({"path": str(path), "calls": calls}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert answer.returncode == 0, answer.stderr[-2000:]
    return [
        {
            name: np.array(values, np.float32)
            if not isinstance(values[0], str)
            else np.array([base64.b64decode(text) for text in values], object)
            for name, values in found.items()
        }
        for found in json.loads(answer.stdout)
    ]


def test_the_c_api_gives_what_python_gives(served):
    encoded = np.array([png(crop) for crop in served.crops] + [b"no image"], object)
    pixels = np.stack(served.crops)
    definitions = signature_defs(read_savedmodel(served.path))
    by_bytes, by_pixels = ask(
        served.path,
        call(definitions["serving_default"], image_bytes=encoded),
        call(definitions["crops"], crops=pixels),
    )
    signatures = tf.saved_model.load(str(served.path)).signatures
    for found, expected in (
        (by_bytes, signatures["serving_default"](image_bytes=tf.constant(encoded))),
        (by_pixels, signatures["crops"](crops=tf.constant(pixels))),
    ):
        assert set(found) == set(expected)
        for name, value in expected.items():
            np.testing.assert_array_equal(found[name], value.numpy(), err_msg=name)
    np.testing.assert_allclose(by_pixels["logit"], served.logits, atol=1e-5)
    assert b"JPEG or PNG" in by_bytes["status"][-1]

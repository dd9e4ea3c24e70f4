"""The answers of REST, place by place, as TensorFlow Serving has published them.

`rest_answers.json` has requests to a toy model of the documentation's kind, half of a
number plus three, and the answers in our words. Each names the file of the repository
tensorflow/serving that the fact is from: the guide `g3doc/api_rest.md` where that tells
it, else the server's own tests or source. `"<text>"` stands for any text.
"""

import json
import math
from pathlib import Path

import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import requests

from . import servers

CASES = json.loads(Path(__file__).with_name("rest_answers.json").read_text())


def named(tag, signal, sensor):
    return {"tag": tag, "signal": signal, "sensor": sensor}


FUNCTIONS = {
    "serving_default": (lambda x: {"y": x / 2 + 3}, {"x": ([None], tf.float32)}),
    "named": (
        named,
        {
            "tag": ([None], tf.string),
            "signal": ([None, 5], tf.int32),
            "sensor": ([None, 2, 2], tf.float32),
        },
    ),
    "binary": (
        lambda image: {"image_bytes": image, "caption": image},
        {"image": ([None], tf.string)},
    ),
    "truth": (lambda x: {"y": x}, {"x": ([None], tf.bool)}),
}


@pytest.fixture(scope="module")
def toy(tmp_path_factory):
    """The base path of the toy model's version 123."""
    module, signatures = tf.Module(), {}
    for name, (function, inputs) in FUNCTIONS.items():
        specs = {key: tf.TensorSpec(*spec, name=key) for key, spec in inputs.items()}
        traced = tf.function(function).get_concrete_function(**specs)
        signatures[name] = traced
    base = tmp_path_factory.mktemp("toy")
    tf.saved_model.save(module, str(base / "123"), signatures=signatures)
    return base


@pytest.fixture(scope="module", params=servers.BOTH)
def server(request, toy):
    with servers.run(request.param, toy, "toy") as found:
        yield found


def differences(found, expected, place="answer"):
    """Yields where two answers differ, key by key, type by type."""
    if expected == "<text>":
        if not (isinstance(found, str) and found):
            yield f"{place}: expected a text, received {found!r}"
    elif type(found) is not type(expected):
        yield f"{place}: expected {expected!r}, received {found!r}"
    elif isinstance(expected, dict):
        if set(found) != set(expected):
            yield f"{place}: expected {sorted(expected)}, received {sorted(found)}"
        for key in set(found) & set(expected):
            yield from differences(found[key], expected[key], f"{place}.{key}")
    elif isinstance(expected, list):
        if len(found) != len(expected):
            yield f"{place}: expected {len(expected)} items, received {len(found)}"
        for number, pair in enumerate(zip(found, expected, strict=False)):
            yield from differences(*pair, f"{place}[{number}]")
    elif found != expected and not (found != found and expected != expected):
        yield f"{place}: expected {expected!r}, received {found!r}"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_the_answer_is_that_of_tensorflow_serving(server, case):
    method, path = case["request"].split()
    body = case.get("body")
    data = body if isinstance(body, str) or body is None else json.dumps(body)
    found = requests.request(method, server.url + path, data=data, timeout=60)
    assert found.status_code == case["status"], found.text
    assert found.headers["Content-Type"] == "application/json"
    assert not list(differences(found.json(), case["answer"]))


def test_differences_are_seen():
    nan = math.nan
    same = {"a": [1, 2.0, nan, "x", True], "b": {"c": "<text>"}}
    assert not list(differences({**same, "b": {"c": "any"}}, same))
    for found in (
        {"a": [1, 2.0, nan, "x", True]},
        {"a": [1, 2, nan, "x", True], "b": {"c": "any"}},
        {"a": [1, 2.0, nan, "x"], "b": {"c": "any"}},
        {"a": [1, 2.0, 0.0, "x", True], "b": {"c": "any"}},
        {"a": [1, 2.0, nan, "x", True], "b": {"c": ""}},
    ):
        assert len(list(differences(found, same))) == 1, found

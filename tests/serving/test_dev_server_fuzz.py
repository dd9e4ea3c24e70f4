"""Requests that nobody should send; SFCL_FUZZ=2000 sends many, SFCL_SEED others."""

import base64
import json
import os
import random

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import requests

from .images import BAD_IMAGES, jpeg, png
from .servers import Client, Code, dev_server, make_request

COUNT = int(os.environ.get("SFCL_FUZZ", "260"))
SEED = int(os.environ.get("SFCL_SEED", "0"))
INVALID, UNFIT, MISSING, LARGE = (
    {Code.INVALID_ARGUMENT},
    {Code.FAILED_PRECONDITION},
    {Code.NOT_FOUND},
    {Code.RESOURCE_EXHAUSTED},
)
ANY = {Code.OK} | INVALID | UNFIT | MISSING
KNOWN_DTYPES = (
    *(tf.float32, tf.float64, tf.int32, tf.int64, tf.uint8, tf.string, tf.bool),
    *(tf.complex64, tf.bfloat16, tf.float16, tf.qint8),
)
METHOD = "PredictionService/Predict"
# Memory grows until every path was taken once; then it must not.
GROWTH = 96 << 20


class Hostile:
    """Makes requests: what is sent, and the statuses that would be right."""

    def __init__(self, rng, crops):
        self.rng = rng
        image = png(crops[0])
        boxes = np.array([[[0, 0, 40, 40]]], np.float32)
        self.image, self.jpeg = image, jpeg(crops[0])
        self.valid = {
            "serving_default": {"image_bytes": [image]},
            "crops": {"crops": crops[0][None]},
            "frame": {"image_bytes": [image], "boxes": boxes},
            "features": {"image_bytes": [image]},
            "explain": {"image_bytes": [image]},
        }
        self.kinds = [
            getattr(self, name) for name in dir(self) if name.startswith("send_")
        ]

    def pick(self):
        """A valid request, and the name of one of its inputs."""
        name = self.rng.choice(list(self.valid))
        message = make_request(name, **self.valid[name])
        return message, self.rng.choice(list(message.inputs))

    def send_mutated_bytes(self):
        raw = bytearray(self.pick()[0].SerializeToString())
        for _ in range(self.rng.randint(1, 20)):
            # Most of it is image: the structure is at the ends.
            end = self.rng.choice((min(80, len(raw)), len(raw)))
            raw[self.rng.randrange(end)] = self.rng.randrange(256)
        return bytes(raw), ANY

    def send_cut_bytes(self):
        raw = self.pick()[0].SerializeToString()
        return raw[: self.rng.randrange(len(raw))], ANY

    def send_noise(self):
        raw = self.rng.randbytes(self.rng.randint(1, 5000))
        return raw, INVALID | MISSING

    def send_another_dtype(self):
        message, key = self.pick()
        right = message.inputs[key].dtype
        others = [t for t in KNOWN_DTYPES if t.as_datatype_enum != right]
        message.inputs[key].dtype = self.rng.choice(others).as_datatype_enum
        return message, INVALID

    def send_unknown_dtype(self):
        message, key = self.pick()
        message.inputs[key].dtype = self.rng.choice((0, 99, 500, -1, 101))
        return message, INVALID

    def send_another_rank(self):
        message, key = self.pick()
        shape = message.inputs[key].tensor_shape
        if self.rng.random() < 0.3:
            shape.unknown_rank = True
        elif self.rng.random() < 0.5:
            shape.dim.add(size=1)
        else:
            del shape.dim[-1]
        return message, INVALID

    def send_impossible_sizes(self):
        message, key = self.pick()
        dims = message.inputs[key].tensor_shape.dim
        size = self.rng.choice((-1, -(2**40), 2**20 + 1, 2**40, 2**62))
        self.rng.choice(dims).size = size
        return message, INVALID

    def send_without_an_input(self):
        message, key = self.pick()
        del message.inputs[key]
        return message, INVALID

    def send_one_input_more(self):
        message, key = self.pick()
        message.inputs["more"].CopyFrom(message.inputs[key])
        return message, INVALID

    def send_too_large(self):
        zeros = np.zeros((1, 1200, 1200, 3), "uint8")
        return make_request("crops", crops=zeros), LARGE

    def send_too_many(self):
        message = make_request("serving_default", image_bytes=[b""] * 2000)
        return message, INVALID

    def send_too_many_boxes(self):
        boxes = np.zeros((1, 40, 4), "float32")
        return make_request("frame", image_bytes=[self.image], boxes=boxes), INVALID

    def send_wild_boxes(self):
        boxes = np.array([[[self.rng.uniform(-1e9, 1e9) for _ in range(4)]]], "float32")
        return make_request("frame", image_bytes=[self.image], boxes=boxes), {Code.OK}

    def send_cut_images(self):
        images = []
        for image in (self.image, self.jpeg):
            images += [image[: self.rng.randrange(len(image))] for _ in range(3)]
        return make_request("", image_bytes=images), {Code.OK}

    def send_damaged_images(self):
        images = []
        for image in (self.image, self.jpeg):
            for _ in range(3):
                damaged = bytearray(image)
                for _ in range(self.rng.randint(1, 30)):
                    damaged[self.rng.randrange(len(damaged))] = self.rng.randrange(256)
                images.append(bytes(damaged))
        return make_request("", image_bytes=images), {Code.OK}

    def send_bombs(self):
        names = [name for name in BAD_IMAGES if "bomb" in name]
        images = [BAD_IMAGES[self.rng.choice(names)][0] for _ in range(2)]
        return make_request("", image_bytes=images), {Code.OK}

    def send_other_model(self):
        message, _ = self.pick()
        message.model_spec.name = self.rng.choice(("", "other", "sfcl/../x", "\0"))
        return message, MISSING

    def send_other_version(self):
        message, _ = self.pick()
        message.model_spec.version.value = self.rng.choice((0, -1, 2, 2**62))
        return message, MISSING

    def send_other_signature(self):
        message, _ = self.pick()
        name = self.rng.choice(("x", "__saved_model_init_op", "Serving_Default"))
        message.model_spec.signature_name = name
        return message, UNFIT

    def send_unknown_output(self):
        message, _ = self.pick()
        message.output_filter.append("more")
        return message, INVALID


@pytest.mark.slow
def test_hostile_requests_are_told_what_is_wrong(served):
    hostile = Hostile(random.Random(SEED), served.crops)  # noqa: S311
    good = make_request(image_bytes=[png(crop) for crop in served.crops])
    with (
        dev_server(served.path.parent, "--max-request", 4) as server,
        Client(server.address) as client,
    ):
        before, sent = None, 0
        for number in range(COUNT):
            kind = hostile.kinds[number % len(hostile.kinds)]
            message, expected = kind()
            raw = message if isinstance(message, bytes) else message.SerializeToString()
            code, told = client.raw(METHOD, raw)
            assert code in expected, (number, kind.__name__, code, told)
            sent += 1
            if number % 20 == 19:
                answer = client.prediction.Predict(good, timeout=60)
                logit = tf.make_ndarray(answer.outputs["logit"])
                np.testing.assert_allclose(logit, served.logits, atol=1e-5)
            if number == COUNT // 2:
                before = server.memory()
        grown = server.memory() - before
        print(f"{sent} requests; memory {before >> 20} MB, then {grown >> 20} MB more")
        assert grown < GROWTH
        assert server.process.poll() is None


@pytest.mark.slow
def test_hostile_rest_requests_are_told_what_is_wrong(served):
    rng = random.Random(SEED)  # noqa: S311
    b64 = [{"b64": base64.b64encode(png(served.crops[0])).decode()}]
    bodies = [
        {"instances": b64},
        {"signature_name": "explain", "inputs": {"image_bytes": b64}},
        {"signature_name": "crops", "instances": served.crops[0][None].tolist()},
    ]
    parts = ["null", "1e999", '"', "{", "]", "NaN", "-1", '{"b64": 1}', "[[", ","]
    with dev_server(served.path.parent, "--max-request", 4) as server:
        url = f"{server.url}/v1/models/sfcl:predict"
        session = requests.Session()
        for _ in range(COUNT // 4):
            text = json.dumps(rng.choice(bodies))
            for _ in range(rng.randint(1, 4)):
                place = rng.choice((rng.randrange(60), rng.randrange(len(text))))
                end = place + rng.choice((0, 1, 5, 500))
                text = text[:place] + rng.choice(parts) + text[end:]
            found = session.post(url, data=text.encode(), timeout=60)
            assert found.status_code in (200, 400, 404), found.text[:500]
            if found.status_code != 200:
                assert found.json()["error"]
        found = session.post(url, json=bodies[0], timeout=60).json()["predictions"]
        assert found[0]["logit"] == pytest.approx(served.logits[0], abs=1e-4)

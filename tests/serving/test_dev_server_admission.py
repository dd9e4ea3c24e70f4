"""How much is worked on at a time: faces by their cost, and bytes, not calls alone."""

import asyncio
import base64
import concurrent.futures
import threading

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import grpc
import requests

from sfcl_tf.serving.dev_server.admission import Admission
from sfcl_tf.serving.dev_server.cost import cost
from sfcl_tf.serving.dev_server.errors import RequestError

from .servers import Client, Code, dev_server


def picture(side, quality=None):
    pixels = np.zeros((side, side, 3), np.uint8)
    if quality is None:
        return tf.io.encode_png(pixels).numpy()
    return tf.io.encode_jpeg(pixels, progressive=quality == "progressive").numpy()


def boxes(frames, faces, side):
    return np.broadcast_to(np.float32([0, 0, side, side]), (frames, faces, 4))


@pytest.mark.parametrize(
    ("signature", "inputs", "expected"),
    [
        ("serving_default", {"image_bytes": [picture(100)] * 5}, (6, 6)),
        ("explain", {"image_bytes": [picture(100)] * 5}, (11, 11)),
        ("serving_default", {"image_bytes": [picture(2000)]}, (23, 25)),
        ("serving_default", {"image_bytes": [picture(2000, "plain")]}, (20, 21)),
        ("serving_default", {"image_bytes": [picture(2000, "progressive")]}, (21, 23)),
        ("serving_default", {"image_bytes": [picture(4097)]}, (1, 1)),
        ("serving_default", {"image_bytes": [b"no picture", b""]}, (2, 2)),
        ("serving_default", {"image_bytes": [picture(9, "plain")[:20]]}, (1, 1)),
        ("frame", {"image_bytes": [picture(1000)] * 2, "boxes": boxes(2, 32, 100)},
         (70, 72)),
        ("frame", {"image_bytes": [picture(2000)], "boxes": boxes(1, 4, 1000)},
         (38, 40)),
        ("frame", {"image_bytes": [picture(1000)], "boxes": boxes(1, 1, 1e9)}, (6, 7)),
        ("frame", {"image_bytes": [picture(100)], "boxes": boxes(1, 1, np.nan)},
         (2, 2)),
        ("crops", {"crops": np.zeros((3, 1000, 1000, 3), np.uint8)}, (17, 17)),
        ("another", {"x": np.zeros((7, 2))}, (7, 7)),
    ],
)  # fmt: skip
def test_a_call_costs_what_its_faces_and_pixels_do(signature, inputs, expected):
    arrays = {
        name: np.array(value, object) if isinstance(value, list) else value
        for name, value in inputs.items()
    }
    assert expected[0] <= cost(signature, arrays) <= expected[1]


def test_admission_counts_faces_and_bytes_and_lets_in_what_is_alone():
    admission = Admission(most=4, most_faces=100, most_bytes=1000)
    with admission.room_for(5000), pytest.raises(RequestError, match="of 100 faces"):
        admission.room_for(1).__enter__()
    with admission.room_for(60), admission.room_for(40):
        for faces in (1, 60):
            with pytest.raises(RequestError, match="raise --max-faces"):
                admission.room_for(faces).__enter__()
    with admission.room_for(100):
        pass

    async def crowd():
        go_on = threading.Event()
        first = asyncio.create_task(admission.run(go_on.wait, 20, size=5000))
        await asyncio.sleep(0.1)
        with pytest.raises(RequestError, match="raise --max-request"):
            await admission.run(print, size=1)
        go_on.set()
        assert await first
        await admission.run(go_on.wait, size=1000)

    asyncio.run(crowd())


def test_many_costly_calls_are_refused_while_small_ones_would_fit(served):
    heavy = np.array([picture(2000)] * 16, object)  # 380 faces' worth
    options = ("--max-faces", 400, "--max-batch", 1)
    with dev_server(served.path.parent, *options) as server:

        def ask(_):
            with Client(server.address) as client:
                try:
                    return len(client.predict(image_bytes=heavy)["status"])
                except grpc.RpcError as error:
                    return error.code()

        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = [*pool.map(ask, range(6))]
        assert set(answers) == {16, Code.RESOURCE_EXHAUSTED}
        found = requests.post(
            f"{server.url}/v1/models/sfcl:predict",
            json={"instances": [{"b64": base64.b64encode(picture(100)).decode()}]},
            timeout=60,
        )
        assert found.status_code == 200

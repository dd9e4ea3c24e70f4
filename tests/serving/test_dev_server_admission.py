"""How much is worked on at a time: faces by their cost, and bytes, not calls alone."""

import asyncio
import base64
import concurrent.futures
import threading
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("tensorflow_serving")

import grpc
import requests

from sfcl_tf.serving.dev_server.admission import Admission
from sfcl_tf.serving.dev_server.cost import cost
from sfcl_tf.serving.dev_server.errors import RequestError
from sfcl_tf.system import portable

from .servers import Client, Code, dev_server, make_request


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


def proto(dtype, *shape, **values):
    """A tensor that says its shape, and may lack its values."""
    kind = tf.string if dtype is object else None
    result = tf.make_tensor_proto(np.zeros(0, dtype), kind)
    result.ClearField("tensor_content")
    del result.tensor_shape.dim[:]
    for size in shape:
        result.tensor_shape.dim.add(size=size)
    for name, value in values.items():
        getattr(result, name).extend(value)
    return result


def frame_of(frames, boxes):
    """Inputs of `frame` that are all promise: one value stands for all boxes."""
    return {
        "image_bytes": proto(object, frames, string_val=[b"x"] * frames),
        "boxes": proto("f4", frames, boxes, 4, float_val=[1.0] * frames),
    }


@pytest.fixture(scope="module")
def server(served):
    with dev_server(served.path.parent) as found:
        yield found


@pytest.mark.parametrize(
    ("signature", "inputs", "message"),
    [
        ("frame", frame_of(0, 1 << 20), "at most 32 boxes"),
        ("frame", frame_of(0, 1 << 30), "along an axis"),
        ("frame", frame_of(1, 1 << 20), "at most 32 boxes"),
        ("crops", {"crops": proto("u1", 1 << 24, 0, 0, 3)}, "at most 1024 faces"),
        ("crops", {"crops": proto("u1", 1 << 40, 0, 0, 3)}, "along an axis"),
        ("crops", {"crops": proto("u1", 1, 9, 9, 3, int_val=[999])}, "Expected values"),
        ("crops", {"crops": proto("u1", 1, 9, 9, 3, int_val=[-1])}, "Expected values"),
        ("x" * 100_000, {}, "Expected a signature"),
    ],
    ids=range(8),
)
def test_a_small_request_cannot_ask_for_much_memory(server, signature, inputs, message):
    before = resident(server.process.pid)
    request = make_request(signature)
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(value)
    with Client(server.address) as client, pytest.raises(grpc.RpcError) as refused:
        client.prediction.Predict(request, timeout=60)
    assert refused.value.code() in (Code.INVALID_ARGUMENT, Code.FAILED_PRECONDITION)
    assert message in refused.value.details()
    assert resident(server.process.pid, "VmHWM") - before < 1 << 20


def resident(pid, name="VmRSS"):
    """Memory of a process now, or at most so far (VmHWM), in KiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1])
    raise ValueError(name)


@pytest.mark.parametrize("frames", [0, 1])
def test_the_graph_itself_works_on_no_more_than_it_takes(served, frames):
    frame = tf.saved_model.load(str(served.path)).signatures["frame"]
    before = portable.peak_memory()
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 32 boxes"):
        frame(
            image_bytes=tf.constant([picture(100)] * frames, tf.string, (frames,)),
            boxes=tf.zeros((frames, 1 << 18, 4)),
        )
    assert portable.peak_memory() - before < 1024

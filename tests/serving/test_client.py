"""The client: faces found here, scored there."""

import threading
import time
from concurrent import futures

import cv2
import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving")

import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from sfcl_tf.inputs.crop import crop_face
from sfcl_tf.media.picture import Picture
from sfcl_tf.serving import Client, tls_credentials
from sfcl_tf.serving.client import FaceRegion, ServerError
from sfcl_tf.system.errors import DataError, UsageError

from . import servers


@pytest.fixture(scope="module")
def server(served):
    with servers.dev_server(served.path.parent) as found:
        yield found


@pytest.fixture
def client(server):
    with Client(server.address) as found:
        yield found


def regions_of(rng, count, side=160):
    pictures = [
        Picture(rng.integers(0, 256, (side, side, 3)).astype("uint8"), index)
        for index in range(count)
    ]
    boxes = [(50, 40, 110, 104)] * count
    return pictures, [
        FaceRegion.cut(p, b) for p, b in zip(pictures, boxes, strict=True)
    ]


def test_scores_are_those_of_the_crops_that_training_sees(client, served):
    pictures, regions = regions_of(np.random.default_rng(0), 37)
    crops = [crop_face(p.rgb(), (50, 40, 110, 104)).numpy() for p in pictures]
    answers = list(client.score(iter(regions)))
    logit = [answer.logit for answer in answers]
    np.testing.assert_allclose(logit, served.keras(crops), atol=1e-4)
    assert {answer.status for answer in answers} == {""}
    score = served.calibration.score(np.array(logit))
    np.testing.assert_allclose([a.score for a in answers], score, atol=1e-5)


def test_what_cannot_be_scored_keeps_its_place(client):
    _, regions = regions_of(np.random.default_rng(0), 3)
    regions[1] = FaceRegion(b"junk", (0, 0, 50, 50))
    statuses = [answer.status for answer in client.score(regions)]
    assert [bool(status) for status in statuses] == [False, True, False]


def test_a_request_is_smaller_than_any_server_refuses(client):
    sent = list(client._batches([FaceRegion(bytes(1_500_000), (0, 0, 1, 1))] * 5))
    assert [len(batch) for batch in sent] == [2, 2, 1]


def test_videos_images_and_arrays_are_scored_alike(client, media, tmp_path):
    path = next(media.glob("ff/original_sequences/**/634.mp4"))
    found = list(client.predict(path, fps=1))
    assert len(found) >= 8
    assert np.diff([face.time for face in found]) == pytest.approx(1.0, abs=0.05)
    assert all(np.isfinite(face.score) and not face.status for face in found)
    assert {face.source for face in found} == {str(path)}
    few = list(client.predict(path, frames=3))
    assert len(few) == 3

    from sfcl_tf.media.video import decode

    frame = next(decode(path)).rgb()
    cv2.imwrite(str(tmp_path / "frame.png"), frame[..., ::-1])
    array, image = client.predict([frame, tmp_path / "frame.png"])
    assert array.logit == pytest.approx(found[0].logit, abs=1e-4)
    assert image.logit == pytest.approx(array.logit, abs=1e-4)
    assert image.box == array.box == found[0].box


def test_all_faces_of_a_picture(client, media):
    path = media / "faces_boxes" / "2008_001322.jpg"
    found = list(client.predict(path))
    assert len(found) >= 2
    assert len({face.box for face in found}) == len(found)
    boxes = [face.box for face in client.predict(path, faces="all")]
    assert boxes == [face.box for face in found]
    (largest,) = client.predict(path, faces="largest")
    assert largest.box == found[0].box
    thorough = list(client.predict(path, thorough=True))
    assert len(thorough) >= len(found)


def test_a_picture_without_a_face_gives_nothing(client):
    assert list(client.predict(np.zeros((200, 200, 3), np.uint8))) == []


def test_wrong_arguments_are_told(client, tmp_path):
    with pytest.raises(UsageError, match="uint8 RGB array"):
        list(client.predict(np.zeros((20, 20))))
    with pytest.raises(UsageError, match="largest"):
        list(client.predict(np.zeros((20, 20, 3), np.uint8), faces="some"))
    with pytest.raises(DataError, match=r"absent\.mp4"):
        list(client.predict(tmp_path / "absent.mp4"))
    for wrong in ({"fps": 0}, {"fps": "a"}, {"frames": -1}, {"fps": 1, "frames": 2}):
        with pytest.raises(UsageError, match=r"fps|frames"):
            list(client.predict(np.zeros((20, 20, 3), np.uint8), **wrong))
    for wrong in (None, b"png", "http://127.0.0.1:1/x.mp4", [3]):
        with pytest.raises(UsageError, match="on this machine"):
            list(client.predict(wrong))
    with pytest.raises(UsageError, match="batch of at least 1"):
        Client(batch=0)
    for wrong in ("127.0.0.1", "", "http://127.0.0.1:8500", "::1:8500"):
        with pytest.raises(UsageError, match="HOST:PORT"):
            Client(wrong)


def test_another_model_is_told(server):
    _, regions = regions_of(np.random.default_rng(0), 1)
    with (
        Client(server.address, model="other") as client,
        pytest.raises(ServerError, match="the name under which") as caught,
    ):
        list(client.score(regions))
    assert caught.value.exit_code == 4


def test_a_server_that_is_not_there_is_told():
    with (
        Client(f"127.0.0.1:{servers.free_port()}", timeout=3) as client,
        pytest.raises(ServerError, match="sfcl serve"),
    ):
        list(client.score(regions_of(np.random.default_rng(0), 1)[1]))


class Flaky:
    """A server that refuses the first calls, and answers late."""

    def __init__(self, refusals, code):
        self.calls, self._refusals, self._code = 0, refusals, code
        self._lock = threading.Lock()
        handler = grpc.unary_unary_rpc_method_handler(
            self._predict,
            predict_pb2.PredictRequest.FromString,
            predict_pb2.PredictResponse.SerializeToString,
        )
        self._server = grpc.server(futures.ThreadPoolExecutor(4))
        self._server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    "tensorflow.serving.PredictionService", {"Predict": handler}
                )
            ]
        )
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    def __enter__(self):
        self._server.start()
        return self

    def __exit__(self, *_):
        self._server.stop(None)

    def _predict(self, request, context):
        with self._lock:
            self.calls += 1
            refused = self.calls <= self._refusals
        if refused:
            context.abort(self._code, "busy")
        rows = request.inputs["boxes"].tensor_shape.dim[0].size
        response = predict_pb2.PredictResponse()
        for name in ("logit", "score"):
            value = np.full((rows, 1), 0.5, np.float32)
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        for name in ("verdict", "status"):
            value = np.full((rows, 1), b"", object)
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value, tf.string))
        return response


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED"])
def test_a_busy_server_is_asked_again(code):
    regions = regions_of(np.random.default_rng(0), 1)[1]
    code = grpc.StatusCode[code]
    with Flaky(2, code) as flaky, Client(f"127.0.0.1:{flaky.port}") as client:
        assert len(list(client.score(regions))) == 1
        assert flaky.calls == 3


def test_a_refusal_for_good_is_not_repeated():
    regions = regions_of(np.random.default_rng(0), 1)[1]
    code = grpc.StatusCode.INVALID_ARGUMENT
    with (
        Flaky(9, code) as flaky,
        Client(f"127.0.0.1:{flaky.port}") as client,
        pytest.raises(ServerError, match="INVALID_ARGUMENT"),
    ):
        list(client.score(regions))
    assert flaky.calls == 1


def test_answers_come_before_all_faces_are_found():
    _, regions = regions_of(np.random.default_rng(0), 1)
    asked = []

    def slowly():
        for number in range(6):
            asked.append(number)
            time.sleep(0.2)
            yield regions[0]

    with (
        Flaky(0, None) as flaky,
        Client(f"127.0.0.1:{flaky.port}", batch=1) as client,
    ):
        answers = client.score(slowly())
        next(answers)
        assert len(asked) <= 3
        assert len(list(answers)) == 5


def test_encrypted_with_a_certificate_of_ones_own(served, tmp_path):
    trustme = pytest.importorskip("trustme")
    authority = trustme.CA()
    ours = authority.issue_cert("127.0.0.1")
    mine = authority.issue_cert("me@example.org")
    for name, blob in (
        ("ca", authority.cert_pem),
        ("key", ours.private_key_pem),
        ("cert", ours.cert_chain_pems[0]),
        ("mine-key", mine.private_key_pem),
        ("mine", mine.cert_chain_pems[0]),
    ):
        blob.write_to_path(str(tmp_path / f"{name}.pem"))
    files = {name: tmp_path / f"{name}.pem" for name in ("ca", "key", "cert")}
    options = ("--tls-key", files["key"], "--tls-cert", files["cert"])
    options += ("--client-ca", files["ca"])
    credentials = tls_credentials(
        files["ca"], tmp_path / "mine-key.pem", tmp_path / "mine.pem"
    )
    _, regions = regions_of(np.random.default_rng(0), 2)
    with (
        servers.dev_server(served.path.parent, *options) as server,
        Client(server.address, credentials=credentials) as client,
    ):
        assert len(list(client.score(regions))) == 2

"""What TensorFlow Serving's clients may count on, of either server."""

import base64

import grpc
import numpy as np
import pytest

pytest.importorskip("tensorflow_serving")

import requests
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from . import servers
from .images import png
from .servers import Client, Code, make_request


@pytest.fixture(scope="module", params=servers.BOTH)
def server(request, served):
    with servers.run(request.param, served.path.parent) as found:
        yield found


@pytest.fixture(scope="module")
def client(server):
    with Client(server.address) as found:
        yield found


@pytest.fixture(scope="module")
def encoded(served):
    return np.array([png(crop) for crop in served.crops], object)


def full_frame(crops):
    height, width = crops[0].shape[:2]
    return np.array([[[0, 0, width, height], [-1] * 4]] * len(crops), np.float32)


def inputs_of(served, encoded):
    return {
        "": {"image_bytes": encoded},
        "serving_default": {"image_bytes": encoded},
        "crops": {"crops": np.stack(served.crops)},
        "frame": {"image_bytes": encoded, "boxes": full_frame(served.crops)},
        "explain": {"image_bytes": encoded},
    }


def test_every_signature_answers_over_grpc(client, served, encoded):
    for name, inputs in inputs_of(served, encoded).items():
        found = client.predict(name, **inputs)
        logit = found["logit"].reshape(len(encoded), -1)[:, 0]
        np.testing.assert_allclose(logit, served.logits, atol=1e-5, err_msg=name)
    embedding = client.predict("features", image_bytes=encoded)["embedding"]
    logit = served.model.get_layer("logit")(embedding)[:, 0]
    np.testing.assert_allclose(logit, served.logits, atol=1e-5)


def test_every_signature_answers_over_rest_by_row_and_by_column(
    server, served, encoded
):
    url = f"{server.url}/v1/models/sfcl:predict"
    b64 = [{"b64": base64.b64encode(image).decode()} for image in encoded]
    for name, inputs in inputs_of(served, encoded).items():
        columns = {
            key: b64 if key == "image_bytes" else value.tolist()
            for key, value in inputs.items()
        }
        rows = [
            dict(zip(columns, row, strict=True))
            for row in zip(*columns.values(), strict=True)
        ]
        named = {"signature_name": name} if name else {}
        by_row = requests.post(url, json=named | {"instances": rows}, timeout=60)
        by_column = requests.post(url, json=named | {"inputs": columns}, timeout=60)
        assert (by_row.status_code, by_column.status_code) == (200, 200), by_row.text
        found = by_row.json()["predictions"]
        logit = np.array([np.ravel(row["logit"])[0] for row in found])
        np.testing.assert_allclose(logit, served.logits, atol=1e-4, err_msg=name)
        found = by_column.json()["outputs"]
        logit = np.array(found["logit"]).reshape(len(encoded), -1)[:, 0]
        np.testing.assert_allclose(logit, served.logits, atol=1e-4, err_msg=name)
        assert np.ravel(found["status"])[0] == ""


def test_one_input_needs_no_name_over_rest(server, served, encoded):
    url = f"{server.url}/v1/models/sfcl/versions/1:predict"
    b64 = [{"b64": base64.b64encode(image).decode()} for image in encoded]
    found = requests.post(url, json={"instances": b64}, timeout=60).json()
    logit = [row["logit"] for row in found["predictions"]]
    np.testing.assert_allclose(logit, served.logits, atol=1e-4)
    crops = np.stack(served.crops).tolist()
    body = {"signature_name": "crops", "inputs": crops}
    found = requests.post(url, json=body, timeout=60).json()["outputs"]
    np.testing.assert_allclose(found["logit"], served.logits, atol=1e-4)


def test_a_bad_image_has_a_status_and_the_others_a_score(
    client, server, served, encoded
):
    found = client.predict(image_bytes=[encoded[0], b"junk", encoded[1][:200]])
    assert np.isnan(found["score"]).tolist() == [False, True, True]
    assert found["status"][0] == b""
    assert b"JPEG or PNG" in found["status"][1]
    b64 = [{"b64": base64.b64encode(i).decode()} for i in (encoded[0], b"junk")]
    url = f"{server.url}/v1/models/sfcl:predict"
    rows = requests.post(url, json={"instances": b64}, timeout=60).json()["predictions"]
    assert [np.isnan(row["score"]) for row in rows] == [False, True]


def test_chosen_outputs_alone_are_sent(client, encoded):
    request = make_request(image_bytes=encoded)
    request.output_filter[:] = ["score"]
    answer = client.prediction.Predict(request, timeout=60)
    assert list(answer.outputs) == ["score"]
    assert answer.model_spec.name == "sfcl"
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "serving_default"


def test_the_model_describes_itself(client, server):
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    request.model_spec.name = "sfcl"
    request.metadata_field.append("signature_def")
    answer = client.prediction.GetModelMetadata(request, timeout=60)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    answer.metadata["signature_def"].Unpack(signatures)
    names = set(signatures.signature_def)
    assert {"serving_default", "crops", "frame", "features", "explain"} <= names
    url = f"{server.url}/v1/models/sfcl/metadata"
    found = requests.get(url, timeout=60).json()["metadata"]["signature_def"]
    found = found.get("signature_def", found)
    assert "image_bytes" in found["frame"]["inputs"]


def test_the_model_tells_its_state(client, server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "sfcl"
    (status,) = client.model.GetModelStatus(request, timeout=60).model_version_status
    kind = get_model_status_pb2.ModelVersionStatus
    assert (status.version, status.state) == (1, kind.AVAILABLE)
    found = requests.get(f"{server.url}/v1/models/sfcl", timeout=60).json()
    (status,) = found["model_version_status"]
    assert (status["version"], status["state"]) == ("1", "AVAILABLE")


@pytest.mark.parametrize(
    ("code", "request_"),
    [
        (Code.NOT_FOUND, make_request(name="other", image_bytes=[b"x"])),
        (Code.FAILED_PRECONDITION, make_request("other", image_bytes=[b"x"])),
        (Code.INVALID_ARGUMENT, make_request()),
        (Code.INVALID_ARGUMENT, make_request(images=[b"x"])),
        (Code.INVALID_ARGUMENT, make_request("frame", image_bytes=[b"x"])),
        (Code.INVALID_ARGUMENT, make_request(image_bytes=[1.0])),
        (Code.INVALID_ARGUMENT, make_request("crops", crops=np.zeros((1, 64, 64, 3)))),
        (Code.INVALID_ARGUMENT, make_request("crops", crops=np.zeros((1, 64), "u1"))),
    ],
    ids=lambda value: value.name if isinstance(value, Code) else "",
)
def test_wrong_requests_have_their_status(client, code, request_):
    with pytest.raises(grpc.RpcError) as caught:
        client.prediction.Predict(request_, timeout=60)
    assert caught.value.code() is code
    assert caught.value.details()


def test_too_many_faces_are_told_the_limit(client):
    boxes = np.zeros((1, 33, 4), np.float32)
    for request_, limit in (
        (make_request(image_bytes=[b""] * 1025), "1024 faces"),
        (make_request("frame", image_bytes=[b""], boxes=boxes), "32 boxes"),
    ):
        with pytest.raises(grpc.RpcError, match=f"at most {limit}") as caught:
            client.prediction.Predict(request_, timeout=60)
        assert caught.value.code() is Code.INVALID_ARGUMENT


def test_a_version_that_is_not_served_is_not_found(client, server, encoded):
    request = make_request(image_bytes=encoded)
    request.model_spec.version.value = 7
    with pytest.raises(grpc.RpcError) as caught:
        client.prediction.Predict(request, timeout=60)
    assert caught.value.code() is Code.NOT_FOUND
    url = f"{server.url}/v1/models/sfcl/versions/7:predict"
    found = requests.post(url, json={"instances": ["x"]}, timeout=60)
    assert found.status_code == 404
    assert "error" in found.json()


@pytest.mark.parametrize(
    "body",
    [
        "no json",
        "[]",
        "{}",
        '{"instances": []}',
        '{"instances": 3}',
        '{"instances": [{"b64": "*"}]}',
        '{"instances": [{"other": "x"}]}',
        '{"instances": ["x"], "inputs": ["x"]}',
        '{"instances": [1]}',
        '{"instances": [["x"], "x"]}',
        '{"signature_name": "other", "instances": ["x"]}',
        '{"signature_name": "crops", "instances": [[[["a"]]]]}',
    ],
)
def test_wrong_rest_requests_are_bad_requests(server, body):
    url = f"{server.url}/v1/models/sfcl:predict"
    found = requests.post(url, data=body, timeout=60)
    assert found.status_code == 400, found.text
    assert found.json()["error"]


def test_other_places_are_not_found(server):
    for place in ("/", "/v1/models/other", "/v1/models/other/metadata", "/v2"):
        found = requests.get(server.url + place, timeout=60)
        assert found.status_code == 404, place

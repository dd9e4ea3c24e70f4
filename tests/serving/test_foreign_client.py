"""Somebody else's client of TensorFlow Serving's interface: ovmsclient, of Intel.

It has messages of its own and none of TensorFlow's code. CONTRIBUTING.md tells how to
have it where it is not installed.
"""

import numpy as np
import pytest

pytest.importorskip("tensorflow_serving")
pytest.importorskip("ovmsclient", reason="ovmsclient is not installed")

import ovmsclient
from ovmsclient.tfs_compat.base.errors import InvalidInputError, ModelNotFoundError

from . import servers
from .images import png

KINDS = ("grpc", "http")


@pytest.fixture(scope="module", params=servers.BOTH)
def server(request, served):
    with servers.run(request.param, served.path.parent) as found:
        yield found


@pytest.fixture(params=KINDS)
def client(request, server):
    if request.param == "grpc":
        client = ovmsclient.make_grpc_client(server.address)
        connection = client.channel
    else:
        client = ovmsclient.make_http_client(server.url.removeprefix("http://"))
        connection = client.session
    with connection:
        yield client


@pytest.fixture
def encoded(served):
    return [png(crop) for crop in served.crops]


def test_status(client):
    assert client.get_model_status("sfcl", 1) == {
        1: {"state": "AVAILABLE", "error_code": 0, "error_message": ""}
    }


def test_metadata(client):
    found = client.get_model_metadata("sfcl", 1)
    if "model_spec" in found:  # what it does not know in REST it hands on as it is
        assert found["model_spec"]["version"] == "1"
        signatures = found["metadata"]["signature_def"]["signature_def"]
        inputs = signatures["serving_default"]["inputs"]
        assert inputs["image_bytes"]["dtype"] == "DT_STRING"
        return
    strings, floats = ({"shape": [-1], "dtype": t} for t in ("DT_STRING", "DT_FLOAT"))
    assert found == {
        "model_version": 1,
        "inputs": {"image_bytes": strings},
        "outputs": {
            "logit": floats,
            "score": floats,
            "verdict": strings,
            "status": strings,
        },
    }


def test_predict(client, served, encoded):
    found = client.predict({"image_bytes": encoded}, "sfcl", 1, timeout=60)
    np.testing.assert_allclose(found["logit"], served.logits, atol=1e-4)
    assert {*found} == {"logit", "score", "verdict", "status"}
    assert np.asarray(found["status"]).astype(str).tolist() == [""] * len(encoded)


def test_version_0_which_it_asks_for_by_default_is_not_found(client, encoded):
    for ask in (
        lambda: client.get_model_status("sfcl"),
        lambda: client.get_model_metadata("sfcl"),
        lambda: client.predict({"image_bytes": encoded}, "sfcl", timeout=60),
    ):
        with pytest.raises(ModelNotFoundError):
            ask()


def test_other_models_and_inputs_are_refused(client, encoded):
    with pytest.raises(ModelNotFoundError):
        client.get_model_status("other", 1)
    with pytest.raises(ModelNotFoundError):
        client.predict({"image_bytes": encoded}, "other", 1, timeout=60)
    with pytest.raises(InvalidInputError):
        client.predict({"images": encoded}, "sfcl", 1, timeout=60)

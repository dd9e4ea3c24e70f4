"""TensorFlow Serving's REST endpoints."""

import asyncio
import inspect
import json
from collections.abc import Callable

from aiohttp import web
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2

from sfcl_tf.serving.dev_server.admission import Admission
from sfcl_tf.serving.dev_server.connections import Connections
from sfcl_tf.serving.dev_server.cost import cost
from sfcl_tf.serving.dev_server.errors import BUG, RequestError, invalid
from sfcl_tf.serving.dev_server.grpc_api import (
    fill_spec,
    signature_map,
    status_response,
)
from sfcl_tf.serving.dev_server.json_body import parse
from sfcl_tf.serving.dev_server.store import ModelStore
from sfcl_tf.serving.dev_server.tensors import from_json, to_json

_MOST_DIGITS = 19  # of the messages' int64
_SLOW_BODY = 60.0  # seconds in which a body must have come
# Protobuf 4, which TensorFlow 2.17 takes, has another name for it.
_ALL_FIELDS = next(
    name
    for name in (
        "always_print_fields_with_no_presence",
        "including_default_value_fields",
    )
    if name in inspect.signature(json_format.MessageToDict).parameters
)
_MODEL = "/v1/models/{name:[^/:]+}"
_VERSION = _MODEL + r"/versions/{version:[0-9]+}"
_LABEL = _MODEL + "/labels/{label:[^/:]+}"


class RestApi:
    """The REST side of the server.

    Args:
        store: Gives the version to ask.
        admission: Bounds what is worked on.
        most_bytes: Most bytes of a body.
        on_event: Called with a line to be told.
    """

    def __init__(
        self,
        store: ModelStore,
        admission: Admission,
        most_bytes: int,
        on_event: Callable[[str], None],
    ):
        self._store = store
        self._on_event = on_event
        self._admission = admission
        self._most_bytes = most_bytes
        self.app = web.Application(
            client_max_size=most_bytes,
            middlewares=[self._request_begins, self._errors_as_json],
        )
        self.connections: Connections | None = None
        for path in (_MODEL, _VERSION, _LABEL):
            self.app.router.add_post(f"{path}:predict", self._predict)
            self.app.router.add_get(f"{path}/metadata", self._metadata)
            self.app.router.add_get(path, self._status)
        self.app.router.add_route("*", "/v1/{rest:.*}", self._malformed)

    async def _predict(self, request):
        try:
            async with asyncio.timeout(_SLOW_BODY):
                raw = await request.read()
        except TimeoutError:
            raise web.HTTPRequestTimeout from None
        strict = request.query.get("nan") == "null"
        answer = await self._admission.run(
            self._work, *_meant(request), strict, raw, size=len(raw)
        )
        return _json(answer)

    def _work(self, name, number, label, strict, raw):
        version = self._store.get(name, number, label)
        body = parse(raw)
        signature_name = body.get("signature_name", "")
        if not isinstance(signature_name, str):
            raise invalid('Expected text in "signature_name".')
        signature = version.signature(signature_name)
        inputs, by_row = from_json(body, signature, self._most_bytes)
        with self._admission.room_for(cost(signature_name, inputs)):
            outputs = version.predict(signature_name, inputs)
        return json.dumps(to_json(outputs, by_row, strict))

    async def _metadata(self, request):
        version = self._store.get(*_meant(request))
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        fill_spec(response.model_spec, self._store.name, version)
        answer = {
            "model_spec": _as_dict(response.model_spec),
            "metadata": {"signature_def": _as_dict(signature_map(version))},
        }
        return _json(json.dumps(answer))

    async def _status(self, request):
        name, number, label = _meant(request)
        if label:
            self._store.get(name, label=label)  # says why there is none
        status = status_response(self._store, name, number)
        return _json(json.dumps(_as_dict(status)))

    async def _malformed(self, request):
        raise invalid(
            "Expected POST /v1/models/NAME[/versions/N]:predict, or GET "
            "/v1/models/NAME[/versions/N][/metadata]. Received: "
            f"{request.method} {request.path}."
        )

    @web.middleware
    async def _request_begins(self, request, handler):
        if self.connections:
            self.connections.has_asked(request.transport)
        return await handler(request)

    @web.middleware
    async def _errors_as_json(self, request, handler):
        try:
            return await handler(request)
        except RequestError as error:
            message, status = str(error), error.http_status
        except web.HTTPException as error:
            if error.status < 400:
                raise
            message, status = error.reason, error.status
        except ConnectionError:  # the client has gone
            raise
        except Exception as error:
            self._on_event(f"A bug, please report it: {error!r}")
            message, status = BUG, 500
        return _json(json.dumps({"error": message}), status)


def _meant(request):
    """Returns the model's name, the version's number and its label in a path."""
    names = request.match_info
    digits = names.get("version")
    if digits and (len(digits) > _MOST_DIGITS or int(digits) >= 2**63):
        raise invalid("Expected a version below 2**63. Received: a larger number.")
    return names["name"], int(digits) if digits else None, names.get("label", "")


def _as_dict(message):
    """Returns a message as JSON has it, its fields with default values included."""
    return json_format.MessageToDict(
        message, preserving_proto_field_name=True, **{_ALL_FIELDS: True}
    )


def _json(text, status=200):
    # As bytes: TensorFlow Serving names no charset, which JSON has not.
    return web.Response(
        body=text.encode(), status=status, content_type="application/json"
    )

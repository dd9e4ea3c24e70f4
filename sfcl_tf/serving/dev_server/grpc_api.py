"""TensorFlow Serving's PredictionService and ModelService, and gRPC's health service.

Messages are parsed by the handlers, not by gRPC, which would tell a client of damaged
bytes no more than UNKNOWN.
"""

from collections.abc import Callable

import grpc
import tensorflow as tf
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    predict_pb2,
)

from sfcl_tf.serving.dev_server.admission import Admission
from sfcl_tf.serving.dev_server.cost import cost
from sfcl_tf.serving.dev_server.errors import BUG, RequestError, invalid
from sfcl_tf.serving.dev_server.store import ModelStore
from sfcl_tf.serving.dev_server.tensors import from_proto

PREDICTION = "tensorflow.serving.PredictionService"
MODEL = "tensorflow.serving.ModelService"
SERVICES = ("", PREDICTION, MODEL)
"""Names that the health service knows; the empty one is the server."""

# A client may hold as many calls open without sending them; they wait for nothing.
_MOST_CALLS = 4096
_CHANNEL = {
    "grpc.so_reuseport": 0,  # a second server on the port is an error, not a twin
    "grpc.max_concurrent_streams": 1024,
    "grpc.server_handshake_timeout_ms": 10_000,
    "grpc.keepalive_time_ms": 60_000,  # half-open connections are found and closed
    "grpc.keepalive_timeout_ms": 20_000,
    "grpc.http2.min_ping_interval_without_data_ms": 10_000,
    "grpc.keepalive_permit_without_calls": 1,
}


class GrpcApi:
    """The gRPC side of the server.

    Args:
        store: Gives the version to ask.
        admission: Bounds what is worked on.
        most_bytes: Most bytes of a message.
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
        self._health = health.aio.HealthServicer()
        options = _CHANNEL | {
            "grpc.max_receive_message_length": most_bytes,
            "grpc.max_send_message_length": -1,
        }
        self.server = grpc.aio.server(
            options=list(options.items()), maximum_concurrent_rpcs=_MOST_CALLS
        )
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self.server)
        services: dict[str, dict[str, tuple]] = {
            PREDICTION: {
                "Predict": (self._predict, predict_pb2.PredictRequest, True),
                "GetModelMetadata": (
                    self._metadata,
                    get_model_metadata_pb2.GetModelMetadataRequest,
                ),
            },
            MODEL: {
                "GetModelStatus": (
                    self._status,
                    get_model_status_pb2.GetModelStatusRequest,
                ),
            },
        }
        self.server.add_generic_rpc_handlers(
            [
                grpc.method_handlers_generic_handler(
                    service,
                    {name: self._handler(*m) for name, m in methods.items()},
                )
                for service, methods in services.items()
            ]
        )

    async def set_serving(self, serving: bool) -> None:
        """Tells the health service's clients whether requests are answered."""
        status = health_pb2.HealthCheckResponse
        for service in SERVICES:
            await self._health.set(
                service, status.SERVING if serving else status.NOT_SERVING
            )

    def _handler(self, answer, kind, costly=False):
        def work(raw):
            try:
                request = kind.FromString(raw)
            except DecodeError as error:
                raise invalid(
                    f"Expected a {kind.__name__}. Received: other bytes."
                ) from error
            return answer(request).SerializeToString()

        async def handle(raw, context):
            try:
                if not costly:
                    return work(raw)
                return await self._admission.run(
                    work, raw, size=len(raw), timeout=context.time_remaining()
                )
            except RequestError as error:
                await context.abort(error.code, str(error))
            except Exception as error:
                self._on_event(f"A bug, please report it: {error!r}")
                await context.abort(grpc.StatusCode.INTERNAL, BUG)

        return grpc.unary_unary_rpc_method_handler(handle)

    def _predict(self, request):
        version = self._version(request.model_spec)
        signature_name = request.model_spec.signature_name or "serving_default"
        signature = version.signature(signature_name)
        inputs = from_proto(request.inputs, signature, self._most_bytes)
        with self._admission.room_for(cost(signature_name, inputs)):
            outputs = version.predict(signature_name, inputs, request.output_filter)
        response = predict_pb2.PredictResponse()
        fill_spec(response.model_spec, self._store.name, version, signature_name)
        for name, value in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
        return response

    def _metadata(self, request):
        version = self._version(request.model_spec)
        if list(request.metadata_field) != ["signature_def"]:
            raise invalid(
                "Expected the metadata_field signature_def. Received: "
                f"{list(request.metadata_field)}."
            )
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        fill_spec(response.model_spec, self._store.name, version)
        response.metadata["signature_def"].Pack(signature_map(version))
        return response

    def _status(self, request):
        spec = request.model_spec
        wanted = spec.version.value if spec.HasField("version") else None
        return status_response(self._store, spec.name, wanted)

    def _version(self, spec):
        number = spec.version.value if spec.HasField("version") else None
        return self._store.get(spec.name, number, spec.version_label)


def signature_map(version) -> get_model_metadata_pb2.SignatureDefMap:
    """Returns a version's signatures as GetModelMetadata gives them."""
    result = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in version.definitions.items():
        result.signature_def[name].CopyFrom(definition)
    return result


def status_response(
    store: ModelStore, name: str, number: int | None
) -> get_model_status_pb2.GetModelStatusResponse:
    """Returns the states of a model's versions.

    Raises:
        RequestError: NOT_FOUND for another model, or a version never seen.
    """
    states = store.states()
    if name != store.name or (number is not None and number not in states):
        raise RequestError(
            grpc.StatusCode.NOT_FOUND,
            f"Expected the model {store.name!r} and one of its versions "
            f"{list(states)}. Received: {name!r}, version "
            f"{'any' if number is None else number}.",
        )
    kind = get_model_status_pb2.ModelVersionStatus
    response = get_model_status_pb2.GetModelStatusResponse()
    for each, state in states.items():
        if number in (None, each):
            status = response.model_version_status.add(
                version=each, state=kind.State.Value(state.state)
            )
            status.status.SetInParent()  # OK is told, too
            if state.error:
                status.status.error_code = grpc.StatusCode.UNKNOWN.value[0]
                status.status.error_message = state.error
    return response


def fill_spec(spec, name: str, version, signature_name: str = "") -> None:
    """Fills an answer's `ModelSpec`: which model, version and signature gave it."""
    spec.name = name
    spec.version.value = version.number
    spec.signature_name = signature_name

"""A client that finds faces here and has a server score them.

```
video, image, array -> frames -> faces -> their surroundings as PNG -> server -> scores
```

It speaks TensorFlow Serving's API: to `sfcl serve` and to TensorFlow Serving alike. A
face travels with its surroundings and its box, and is cut out by the SavedModel, so
that the crop is the one that the model was trained on.
"""

import collections
import dataclasses
import itertools
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import cv2
import grpc
import numpy as np

from sfcl_tf.faces.region import context_region
from sfcl_tf.faces.sampling import DETECTOR, SamplingOptions
from sfcl_tf.media.footage import array_footage, local_path, open_footage
from sfcl_tf.media.picture import Picture
from sfcl_tf.serving.names import MODEL_NAME
from sfcl_tf.system.errors import ModelError, UsageError

# What every gRPC server takes, whatever its settings: its default is 4 MB.
_REQUEST_BYTES = 3_500_000
_IN_FLIGHT = 4  # requests
# Scoring changes nothing on a server, so it may be asked again.
_RETRY = {
    "maxAttempts": 5,
    "initialBackoff": "0.2s",
    "maxBackoff": "5s",
    "backoffMultiplier": 3,
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}
_ADDRESS = re.compile(r"(dns:///)?(\[[0-9a-fA-F:.]+\]|[^\s:/]+):\d+|unix:.+")
_SERVICE = {
    "methodConfig": [{"name": [{}], "retryPolicy": _RETRY}],
    "loadBalancingConfig": [{"round_robin": {}}],
}


class ServerError(ModelError):
    """A server that does not answer, or refuses what it is asked."""


@dataclasses.dataclass(frozen=True)
class FaceRegion:
    """A face with its surroundings, ready to be sent.

    Attributes:
        png: The surroundings, losslessly, at native resolution.
        box: x0, y0, x1, y1 of the face in them, in pixels.
    """

    png: bytes
    box: tuple[int, int, int, int]

    @classmethod
    def cut(cls, picture: Picture, box: tuple[int, int, int, int]) -> "FaceRegion":
        """Cuts a face and its surroundings out of a picture."""
        left, top, right, bottom = context_region(box, *picture.size)
        region = picture.region(left, top, right, bottom)
        _, png = cv2.imencode(".png", cv2.cvtColor(region, cv2.COLOR_RGB2BGR))
        x0, y0, x1, y1 = box
        return cls(png.tobytes(), (x0 - left, y0 - top, x1 - left, y1 - top))


@dataclasses.dataclass(frozen=True)
class Answer:
    """What the model says of a face.

    Attributes:
        logit: Its raw output; NaN without a score.
        score: P(fake); NaN without a score.
        verdict: `real`, `uncertain` or `fake`; empty without a score.
        status: Why there is no score; empty if there is one.
        real_to: Scores up to it are called real; NaN of a server that does not tell.
        fake_from: Scores from it on are called fake; likewise.
        video_real_to: The same for means over a video; NaN of an earlier export.
        video_fake_from: Likewise, where the video shows one face.
        calibration: All thresholds, as JSON for `sfcl_tf.evaluation.Calibration`;
            empty of an earlier export.
    """

    logit: float
    score: float
    verdict: str
    status: str
    real_to: float
    fake_from: float
    video_real_to: float
    video_fake_from: float
    calibration: str


@dataclasses.dataclass(frozen=True)
class FaceScore(Answer):
    """What the model says of a face at a moment.

    Attributes:
        source: The file, or the number of the array.
        frame_index: In presentation order, from 0.
        time: In s.
        track: Number of the face's track in its source.
        box: x0, y0, x1, y1 in pixels of the frame.
    """

    source: str
    frame_index: int
    time: float
    track: int
    box: tuple[int, int, int, int]


class Client:
    """Scores videos, images and arrays by a server.

    Args:
        address: `HOST:PORT` of its gRPC.
        model: The model's name there.
        credentials: Of gRPC, see `tls_credentials`; none for no encryption.
        timeout: Seconds that one request may take, with all attempts.
        batch: Most faces of a request.

    Raises:
        UsageError: If the packages of the extra `[serve]` are not installed.

    Example:
        >>> with Client("127.0.0.1:8500") as client:  # doctest: +SKIP
        ...     for face in client.predict("clip.mp4", fps=2):
        ...         print(face.time, face.score, face.verdict)
    """

    def __init__(
        self,
        address: str = "127.0.0.1:8500",
        *,
        model: str = MODEL_NAME,
        credentials: grpc.ChannelCredentials | None = None,
        timeout: float = 60.0,
        batch: int = 16,
    ):
        try:
            from tensorflow_serving.apis import prediction_service_pb2_grpc
        except ImportError as error:
            raise UsageError(
                f"Expected the packages of the extra [serve]. Received: {error}. "
                'Install them: pip install "sfcl_tf[serve]".'
            ) from error
        if not _ADDRESS.fullmatch(address):
            raise UsageError(
                f"Expected the address as HOST:PORT. Received: {address!r}. Unless the "
                "server was told otherwise, gRPC's port is 8500."
            )
        if batch < 1 or not timeout > 0:
            raise UsageError(
                "Expected a batch of at least 1 and a timeout above 0. Received: "
                f"batch={batch}, timeout={timeout}."
            )
        self._address, self._model = address, model
        self._timeout, self._batch = timeout, batch
        options = [
            ("grpc.service_config", json.dumps(_SERVICE)),
            ("grpc.max_receive_message_length", -1),
        ]
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def predict(
        self,
        source: str | Path | np.ndarray | Iterable,
        *,
        fps: float | None = None,
        frames: int | None = None,
        faces: str = "all",
        thorough: bool = False,
        detector: str = DETECTOR,
    ) -> Iterator[FaceScore]:
        """Finds faces and yields their scores, in order, as they come.

        Pictures and faces are those that `sfcl_tf.Detector.predict` takes. Memory does
        not grow with the length of a video. A picture without a face yields nothing.

        Args:
            source: A video or an image file; an `(H, W, 3)` uint8 RGB array; or
                several of these.
            fps: Pictures a second of a video; without both 2, and 8 of a short clip.
            frames: Pictures of a video, evenly spaced.
            faces: `"all"`, or `"largest"` of each picture.
            thorough: Whether small faces beside large ones are looked for as well.
            detector: What finds faces, `"yunet"` or `"hog"`.

        Yields:
            A `FaceScore` for each face.

        Raises:
            DataError: If a file cannot be read.
            ServerError: If the server does not answer.
            UsageError: If an argument is wrong.
        """
        options = SamplingOptions(fps, frames, faces, thorough, detector)
        single = not isinstance(source, Iterable) or isinstance(
            source, str | bytes | Path | np.ndarray
        )
        sources = [source] if single else source
        pairs = itertools.chain.from_iterable(
            _faces(name, footage, options) for name, footage in _opened(sources)
        )
        moments, regions = itertools.tee(pairs)
        answers = self.score(region for _, region in regions)
        for (moment, _), answer in zip(moments, answers, strict=True):
            yield FaceScore(**dataclasses.asdict(answer), **moment)

    def score(self, regions: Iterable[FaceRegion]) -> Iterator[Answer]:
        """Has faces scored in batches; yields the answers in their order.

        Raises:
            ServerError: If the server does not answer.
        """
        under_way: collections.deque[grpc.Future] = collections.deque()
        for batch in self._batches(regions):
            under_way.append(self._send_batch(batch))
            while len(under_way) == _IN_FLIGHT or (under_way and under_way[0].done()):
                yield from self._answers(under_way.popleft())
        while under_way:
            yield from self._answers(under_way.popleft())

    def _batches(self, regions):
        batch: list[FaceRegion] = []
        size = 0
        for region in regions:
            full = len(batch) == self._batch or size + len(region.png) > _REQUEST_BYTES
            if batch and full:
                yield batch
                batch, size = [], 0
            batch.append(region)
            size += len(region.png)
        if batch:
            yield batch

    def explain(self, crop: bytes) -> dict[str, np.ndarray]:
        """Asks what the score of a face crop rests on.

        Args:
            crop: JPEG or PNG.

        Returns:
            The outputs of the signature `explain`, without the batch's axis.

        Raises:
            ServerError: If the server does not answer.
        """
        import tensorflow as tf

        inputs = {"image_bytes": np.array([crop], object)}
        reply = self._reply(self._send("explain", inputs))
        return {n: tf.make_ndarray(x)[0] for n, x in reply.outputs.items()}

    def _send_batch(self, batch):
        inputs = {
            "image_bytes": np.array([region.png for region in batch], object),
            "boxes": np.array([[region.box] for region in batch], np.float32),
        }
        return self._send("frame", inputs)

    def _send(self, signature, inputs):
        from tensorflow_serving.apis import predict_pb2

        from sfcl_tf.serving.warmup import set_inputs

        request = predict_pb2.PredictRequest()
        request.model_spec.name = self._model
        request.model_spec.signature_name = signature
        set_inputs(request, inputs)
        return self._stub.Predict.future(request, timeout=self._timeout)

    def _reply(self, call):
        try:
            return call.result()
        except grpc.RpcError as error:
            raise ServerError(
                f"Expected scores from {self._address}. Received: "
                f"{error.code().name}, {error.details().rstrip('.')}. "
                f"{_advice(error.code())}"
            ) from error

    def _answers(self, call):
        import tensorflow as tf

        outputs = {  # of each picture, or of its only face
            name: tf.make_ndarray(tensor).reshape(tensor.tensor_shape.dim[0].size)
            for name, tensor in self._reply(call).outputs.items()
        }
        count = len(outputs["score"])
        columns = [
            outputs.get(field.name, [b"" if field.type is str else np.nan] * count)
            for field in dataclasses.fields(Answer)
        ]
        for row in zip(*columns, strict=True):
            values: list[Any] = [
                x.decode() if isinstance(x, bytes) else float(x) for x in row
            ]
            yield Answer(*values)


def tls_credentials(
    authority: str | Path | None = None,
    key: str | Path | None = None,
    certificate: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Returns credentials for an encrypted connection, from PEM files.

    Args:
        authority: Who signed the server's certificate; the system's for none.
        key: The client's private key, where the server asks for a certificate.
        certificate: The client's certificate chain.
    """
    files = (authority, key, certificate)
    return grpc.ssl_channel_credentials(
        *(Path(path).read_bytes() if path else None for path in files)
    )


def _opened(sources):
    for number, source in enumerate(sources):
        if isinstance(source, np.ndarray):
            yield str(number), array_footage(source)
        else:
            path = local_path(source)
            yield str(path), open_footage(path)


def _faces(name, footage, options):
    for sample in options.samples(footage):
        picture = sample.picture
        for face in sample.faces:
            moment = {
                "source": name,
                "frame_index": picture.index,
                "time": float(picture.time),
                "track": face.track,
                "box": face.box,
            }
            yield moment, FaceRegion.cut(picture, face.box)


def _advice(code):
    advice = {
        grpc.StatusCode.UNAVAILABLE: "Is it running, and is the address right? To "
        "start one here: sfcl serve RUN.",
        grpc.StatusCode.NOT_FOUND: "Give the name under which the model is served.",
        grpc.StatusCode.DEADLINE_EXCEEDED: "Is it running (sfcl serve RUN), and can it "
        "be reached? If so, give more time, or a smaller batch.",
        grpc.StatusCode.RESOURCE_EXHAUSTED: "It is busy. Try again later.",
        grpc.StatusCode.INVALID_ARGUMENT: "Is the model one that `sfcl export` made?",
        grpc.StatusCode.FAILED_PRECONDITION: "Is the model one that `sfcl export` "
        "made?",
    }
    return advice.get(code, "See the server's own messages.")

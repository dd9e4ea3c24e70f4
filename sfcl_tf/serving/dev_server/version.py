"""One version of a model: loaded, warmed up, asked."""

import collections
import dataclasses
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from sfcl_tf.serving.dev_server.batching import Batched, Batching, CropsOfAnySize
from sfcl_tf.serving.dev_server.errors import (
    RequestError,
    from_tensorflow,
    invalid,
)
from sfcl_tf.serving.dev_server.tensors import from_proto
from sfcl_tf.serving.names import EXTRA, WARMUP
from sfcl_tf.serving.trust import read_savedmodel
from sfcl_tf.serving.warmup import warmup_inputs
from sfcl_tf.system.errors import ModelError

DEFAULT = "serving_default"
# Each takes a second to prepare for batches; those who ask send several faces at once.
_ALONE = ("frame", "features", "explain")


class ModelVersion:
    """A SavedModel in memory.

    Args:
        path: Its directory; the last part is the version's number.
        batching: How concurrent calls are put together.
        trust: Whether it may do more than compute; see `read_savedmodel`.

    Raises:
        ModelError: If it cannot be loaded, or is not trusted.
    """

    def __init__(self, path: Path, batching: Batching, trust: bool = False):
        self.path = path
        self.number = int(path.name)
        saved = read_savedmodel(path, trust=trust)
        try:
            self.definitions = signature_defs(saved)
            # The functions hold their weights by the object that was loaded.
            self._loaded = tf.saved_model.load(str(path))
        except Exception as error:  # whatever a damaged file makes it raise
            raise ModelError(
                f"Expected a SavedModel in {path}. Received: {_first_line(error)} "
                "Export it again: sfcl export RUN --to DIR."
            ) from error
        alone = dataclasses.replace(batching, most=1)
        signatures = self._loaded.signatures
        batched = {
            name: Batched(function, alone if name in _ALONE else batching)
            for name, function in signatures.items()
        }
        self._functions: dict[str, Batched | CropsOfAnySize] = {**batched}
        if CropsOfAnySize.fits(signatures):
            self._functions["crops"] = CropsOfAnySize(
                batched[DEFAULT], batched["crops"]
            )

    def signature(self, name: str):
        """Returns the `SignatureDef` of a name, or of the default for none.

        Raises:
            RequestError: FAILED_PRECONDITION as in TensorFlow Serving, if there is
                none of that name.
        """
        name = name or DEFAULT
        if name not in self._functions:
            raise RequestError(
                grpc.StatusCode.FAILED_PRECONDITION,
                f"Expected a signature of {', '.join(self._functions)}. Received: "
                f"{name!r}.",
            )
        return self.definitions[name]

    def predict(
        self, name: str, inputs: Mapping[str, np.ndarray], outputs=()
    ) -> dict[str, np.ndarray]:
        """Computes a signature.

        Args:
            name: Of the signature; the default for none.
            inputs: Arrays that fit it.
            outputs: Names of those wanted; all for none.

        Raises:
            RequestError: If an output does not exist, or the graph refuses the inputs.
        """
        known = self.signature(name).outputs
        if unknown := sorted(set(outputs) - set(known)):
            raise invalid(f"Expected outputs of {sorted(known)}. Received: {unknown}.")
        try:
            results = self._functions[name or DEFAULT](inputs)
        except tf.errors.OpError as error:
            raise from_tensorflow(error) from error
        return {key: results[key] for key in outputs or results}

    def warm_up(self) -> int:
        """Replays the requests that came along, or else those that an export has.

        Returns:
            How many there were.

        Raises:
            RequestError: If one of them cannot be answered.
        """
        requests = collections.defaultdict(list)
        for name, inputs in self._warm_up_requests():
            requests[name].append(inputs)

        def replay(name):
            for inputs in requests[name]:
                self.predict(name, inputs)

        # Preparing a function is work for one core.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(replay, requests))
        return sum(map(len, requests.values()))

    def _warm_up_requests(self):
        file = self.path / EXTRA / WARMUP
        if file.is_file():
            for record in tf.data.TFRecordDataset(str(file)):
                log = prediction_log_pb2.PredictionLog.FromString(record.numpy())
                request = log.predict_log.request
                name = request.model_spec.signature_name
                yield name, from_proto(request.inputs, self.signature(name), 1 << 30)
            return
        for name, inputs in warmup_inputs():
            known = self.definitions.get(name)
            if known and {*known.inputs} == {*inputs}:
                yield name, inputs


def signature_defs(saved) -> dict:
    """Returns a SavedModel's `SignatureDef`s by name, that of initialisation too."""
    graphs = [g for g in saved.meta_graphs if "serve" in g.meta_info_def.tags]
    return dict(graphs[0].signature_def)


def _first_line(error):
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error)

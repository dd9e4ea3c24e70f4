"""Tensors as they travel, in protobuf and in JSON, checked against a signature."""

import base64
import binascii
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from sfcl_tf.serving.dev_server.errors import invalid


def from_proto(
    protos: Mapping[str, Any], signature, most_bytes: int
) -> dict[str, np.ndarray]:
    """Turns a request's TensorProtos into arrays.

    Args:
        protos: By input name.
        signature: The `SignatureDef`.
        most_bytes: Most bytes of one array.

    Raises:
        RequestError: INVALID_ARGUMENT, if they do not fit the signature.
    """
    _check_names(protos, signature)
    arrays = {}
    for name, spec in signature.inputs.items():
        proto = protos[name]
        if proto.dtype != spec.dtype:
            raise _misfit(name, _dtype(spec), f"{_dtype(proto)} instead")
        if proto.tensor_shape.unknown_rank:
            raise _misfit(name, _shape(spec.tensor_shape), "no shape")
        shape = [dim.size for dim in proto.tensor_shape.dim]
        _check_shape(name, shape, spec)
        if max(shape, default=0) > most_bytes:  # of an array of nothing, too
            raise _misfit(name, f"at most {most_bytes} along an axis", shape)
        _check_size(name, proto, math.prod(shape), most_bytes)
        try:
            arrays[name] = tf.make_ndarray(proto)
        except (ValueError, TypeError, IndexError, OverflowError) as error:
            raise _misfit(name, f"values for the shape {shape}", "others") from error
        if arrays[name].shape != tuple(shape):
            raise _misfit(name, f"values for the shape {shape}", "others")
    return arrays


def from_json(body: Any, signature, most_bytes: int) -> tuple[dict, bool]:
    """Turns the JSON of a REST request into arrays.

    Args:
        body: What was parsed: `{"instances": [...]}`, one element an item of the
            batch, or `{"inputs": ...}`, one list an input.
        signature: The `SignatureDef`.
        most_bytes: Most bytes of one array.

    Returns:
        Arrays by input name; and whether they came by row.

    Raises:
        RequestError: INVALID_ARGUMENT, if they do not fit the signature.
    """
    by_row = "instances" in body
    if by_row == ("inputs" in body):
        raise invalid('Expected "instances" or "inputs" in the body, and not both.')
    names = list(signature.inputs)
    if by_row:
        columns = _columns(body["instances"], names)
    else:
        given = body["inputs"]
        named = isinstance(given, dict) and "b64" not in given
        columns = given if named else {names[0]: given}
        if not named and len(names) > 1:
            raise invalid(f'Expected "inputs" with the names {names}.')
    _check_names(columns, signature)
    arrays = {}
    for name, spec in signature.inputs.items():
        arrays[name] = _array(name, columns[name], _dtype(spec))
        _check_shape(name, arrays[name].shape, spec)
        if arrays[name].nbytes > most_bytes:
            raise _misfit(name, f"at most {most_bytes} bytes", "more")
    return arrays, by_row


def to_json(
    outputs: Mapping[str, np.ndarray], by_row: bool, strict: bool = False
) -> dict[str, Any]:
    """Turns arrays into the JSON of a REST answer, as TensorFlow Serving writes it.

    Strings are text, or base64 in an object where a name ends in `_bytes`.

    Args:
        outputs: By name.
        by_row: Whether it was asked by row.
        strict: Whether what is not finite becomes null. Else it stays NaN, as
            TensorFlow Serving has it: Python's reader takes that, a browser's does not.
    """
    columns = {name: _listed(name, value, strict) for name, value in outputs.items()}
    single = len(columns) == 1
    if not by_row:
        return {"outputs": next(iter(columns.values())) if single else columns}
    rows = [
        dict(zip(columns, row, strict=True))
        for row in zip(*columns.values(), strict=True)
    ]
    return {"predictions": next(iter(columns.values())) if single else rows}


def _columns(rows, names):
    if not isinstance(rows, list) or not rows:
        raise invalid('Expected "instances" to be a list of one item or more.')
    named = [isinstance(row, dict) and "b64" not in row for row in rows]
    if not any(named):
        if len(names) > 1:
            raise invalid(f"Expected each instance to name the inputs {names}.")
        return {names[0]: rows}
    if not all(named) or any(set(row) != set(rows[0]) for row in rows):
        raise invalid("Expected the same names in every instance.")
    return {name: [row[name] for row in rows] for name in rows[0]}


def _array(name, value, dtype):
    expected = f"a list of {dtype.name}, or of lists of one length"
    try:
        if dtype == tf.string:
            decoded = _decoded(value)
            array = np.array(decoded, object)
            if not all(isinstance(item, bytes) for item in array.flat):
                raise _misfit(name, expected, "others")
            return array
        array = np.array(value)
        if dtype.is_bool and array.dtype.kind == "b":
            return array
        exact = array.dtype.kind in "iu" or (dtype.is_floating and array.size)
        if array.dtype.kind not in "iuf" or (array.size and not exact):
            raise _misfit(name, expected, "others")
        within = np.array(value, dtype.as_numpy_dtype)
    except (ValueError, TypeError, OverflowError) as error:
        raise _misfit(name, expected, "others") from error
    return within


def _decoded(value):
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict) and set(value) == {"b64"}:
        try:
            return base64.b64decode(value["b64"], validate=True)
        except (binascii.Error, TypeError, ValueError) as error:
            raise invalid(f'Expected base64 in "b64". Received: {error}.') from error
    if isinstance(value, str):
        return value.encode()
    return value


def _listed(name, value, strict=False):
    if value.dtype != object:
        if strict and value.dtype.kind == "f" and not np.isfinite(value).all():
            value = np.where(np.isfinite(value), value.astype(object), None)
        return value.tolist()
    encode = _encoded if name.endswith("_bytes") else _text
    return np.vectorize(encode, [object])(value).tolist() if value.size else []


def _encoded(item):
    return {"b64": base64.b64encode(item).decode()}


def _text(item):
    return item.decode("utf-8", "replace")


def _check_names(given, signature):
    expected, received = sorted(signature.inputs), sorted(given)
    if expected != received:
        raise invalid(f"Expected the inputs {expected}. Received: {received}.")


def _check_shape(name, shape, spec):
    dims = [dim.size for dim in spec.tensor_shape.dim]
    fits = len(dims) == len(shape) and all(
        size >= 0 and expected in (-1, size)
        for expected, size in zip(dims, shape, strict=True)
    )
    if not fits:
        raise _misfit(name, f"the shape {_shape(spec.tensor_shape)}", list(shape))


def _check_size(name, proto, count, most_bytes):
    """Refuses what would fill memory: a last value stands for all that follow."""
    if proto.dtype == tf.string.as_datatype_enum:
        if len(proto.string_val) != count:
            raise _misfit(name, f"{count} strings", len(proto.string_val))
    elif count * _dtype(proto).size > most_bytes:
        raise _misfit(name, f"at most {most_bytes} bytes", f"{count} values")


def _shape(proto):
    return [None if dim.size < 0 else dim.size for dim in proto.dim]


def _dtype(proto):
    try:
        return tf.as_dtype(proto.dtype)
    except TypeError as error:
        raise invalid(f"Expected a known dtype. Received: {proto.dtype}.") from error


def _misfit(name, expected, received):
    if isinstance(expected, tf.DType):
        expected = expected.name
    return invalid(f"Expected {expected} for {name}. Received: {received}.")
